"""Names of images in the text of reports: what a reader can find in a viewer, whatever the order of the images is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset

from models.vocabulary import Laterality, View
from service.domain.findings import ImageFinding
from service.domain.header import read_header

TAIL = 8
"""Characters of the SOP Instance UID that a name ends with."""


def name_image(image: ImageFinding, source: Dataset) -> str:
    """``R CC (SOP ...21400123)``: side and view of the pixels, else of the header, and the end of the SOP Instance UID.

    In ASCII, because it is written in every character set.
    """
    header = read_header(source)
    side = image.laterality.value if image.laterality and image.laterality.value != Laterality.UNKNOWN else header.laterality
    view = image.view.value if image.view and image.view.value != View.UNKNOWN else header.view
    known = [str(label) for label in (side, view) if label != "UNKNOWN"]
    return f"{' '.join(known) or 'Image'} (SOP ...{image.sop_instance_uid[-TAIL:]})"


def name_images(images: Sequence[ImageFinding], sources: Sequence[Dataset]) -> Mapping[str, str]:
    """Name by SOP Instance UID; the sources are in the order of the images."""
    return {image.sop_instance_uid: name_image(image, source) for image, source in zip(images, sources, strict=True)}
