"""SOP classes of each kind of object, the preferred one first."""

from __future__ import annotations

from pydicom.uid import (
    UID,
    DigitalMammographyXRayImageStorageForPresentation,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    MammographyCADSRStorage,
    SecondaryCaptureImageStorage,
)

from service.domain.findings import ObjectKind
from service.report.sr_class import SR_CLASSES

IMAGE_CLASSES = (DigitalMammographyXRayImageStorageForPresentation, SecondaryCaptureImageStorage)
"""Of images that may be corrected; secondary capture is digitised film, where a site opts in."""

SOP_CLASSES: dict[ObjectKind, tuple[UID, ...]] = {
    ObjectKind.CAD: (MammographyCADSRStorage,),
    ObjectKind.REPORT: SR_CLASSES,
    ObjectKind.HEATMAP: (SecondaryCaptureImageStorage,),
    ObjectKind.MARKS: (GrayscaleSoftcopyPresentationStateStorage,),
    ObjectKind.CORRECTED: IMAGE_CLASSES[:1],
    ObjectKind.REVERTED: IMAGE_CLASSES[:1],
    ObjectKind.REJECTION: (KeyObjectSelectionDocumentStorage,),
}
