"""Images of a study as the rules see them, in one line each."""

from __future__ import annotations

from typing import Any

from models.vocabulary import ImageKind, Laterality, View, ViewModifier
from service.domain.findings import ImageFinding, InstanceHeader, InstanceState, Label, Marker, ModelIdentity
from service.domain.study_image import StudyImage

MODEL = ModelIdentity(name="mammotriage-labeler", version="1.0.0", sha256="a" * 64, task="labeler")


def label(value: str, *classes: str) -> Label:
    return Label(value=value, confidence=0.97, probabilities={name: 0.97 if name == value else 0.01 for name in classes})


def analysed_image(
    name: str,
    declared: tuple[View, Laterality],
    pixels: tuple[str, str],
    score: float | None = 0.1,
    density: str = "B",
    sources: tuple[str, str] = ("ViewCodeSequence", "ImageLaterality"),
    modifiers: tuple[ViewModifier, ...] = (),
    marker: str = "",
    **more: Any,
) -> StudyImage:
    """An analysed image: what its header declares, what its pixels show, and ``R-CC`` or so of a burned-in marker.

    `more` are further fields of the header.
    """
    view, laterality = declared
    side, _, marked_view = marker.partition("-")
    header = InstanceHeader(
        sop_instance_uid=f"1.2.{name}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.2",
        study_instance_uid="1.2.3",
        series_instance_uid="1.2.4",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        view=view,
        laterality=laterality,
        view_modifiers=modifiers,
        view_source=sources[0] if view is not View.UNKNOWN else "",
        laterality_source=sources[1] if laterality is not Laterality.UNKNOWN else "",
        **{"kind": ImageKind.FULL_FIELD, "has_pixels": True, **more},
    )
    finding = ImageFinding(
        sop_instance_uid=header.sop_instance_uid,
        state=InstanceState.ANALYSED,
        view=label(pixels[0], "CC", "MLO"),
        laterality=label(pixels[1], "L", "R"),
        density=label(density, "A", "B", "C", "D"),
        cancer_score=score,
        marker=Marker(text=marker, laterality=Laterality(side), view=View(marked_view or "UNKNOWN"), confidence=0.9) if marker else None,
        models=(MODEL,),
    )
    return StudyImage(header, finding)


def standard_study(**changed: StudyImage) -> list[StudyImage]:
    """R-CC, L-CC, R-MLO, L-MLO with right labels; `changed` replaces one by its name (rcc, lcc, rmlo, lmlo)."""
    study = {
        f"{side.lower()}{view.lower()}": analysed_image(str(number), (view, side), (view, side))
        for number, (view, side) in enumerate(
            ((View.CC, Laterality.R), (View.CC, Laterality.L), (View.MLO, Laterality.R), (View.MLO, Laterality.L)), start=1
        )
    }
    return list({**study, **changed}.values())


def mislabel(image: StudyImage) -> StudyImage:
    """The same image with the other side declared."""
    other = Laterality.L if image.header.laterality is Laterality.R else Laterality.R
    return image._replace(header=image.header.model_copy(update={"laterality": other}))


def mirror(image: StudyImage) -> StudyImage:
    """The same image, its picture mirrored: the networks take it for the other side."""
    assert image.finding is not None and image.finding.laterality is not None
    other = "L" if image.finding.laterality.value == "R" else "R"
    return image._replace(finding=image.finding.model_copy(update={"laterality": label(other, "L", "R")}))


def alter(image: StudyImage, **fields: Any) -> StudyImage:
    """The same image with other fields in its header."""
    return image._replace(header=image.header.model_copy(update=fields))
