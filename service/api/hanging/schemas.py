"""What the hanging API takes and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from models.vocabulary import ImageKind, Laterality, View, ViewModifier
from service.api.http.params import SOP_INSTANCE_UID, STUDY_INSTANCE_UID, example
from service.api.studies.schemas import DeclaredLabels, PixelLabels
from service.domain.display_orientation import LabelSource
from service.domain.findings import InstanceState, Reason

MOST_STUDIES = 200
"""Studies in one answer."""

_HUNG = {
    "sop_instance_uid": SOP_INSTANCE_UID,
    "series_instance_uid": "1.2.826.0.1.3680043.8.498.2",
    "state": "analysed",
    "kind": "full-field",
    "view": "MLO",
    "laterality": "L",
    "view_source": "pixels",
    "laterality_source": "pixels",
    "declared": {"view": "CC", "laterality": "L"},
    "header_contradictions": [],
    "pixels": {"view": "MLO", "laterality": "L"},
    "view_modifiers": [],
    "image_rotation": 0,
    "image_horizontal_flip": False,
    "orientation_source": "pixels",
}
HANGING = {
    "study_instance_uid": STUDY_INSTANCE_UID,
    "status": "final",
    "version": 1,
    "complete": False,
    "held": False,
    "slots": {"R-CC": None, "L-CC": None, "R-MLO": None, "L-MLO": _HUNG},
    "missing": ["R-CC", "L-CC", "R-MLO"],
    "repeated": {},
    "extras": [],
    "not_hung": [],
}


class HungOut(BaseModel):
    """One image, the labels it hangs by, and how its stored pixels must be rotated and flipped."""

    model_config = example(_HUNG)

    sop_instance_uid: str
    series_instance_uid: str
    state: InstanceState
    kind: ImageKind
    view: View = Field(description="the image hangs by this view")
    laterality: Laterality = Field(description="and by this side")
    view_source: LabelSource = Field(description="where the view comes from")
    laterality_source: LabelSource = Field(description="where the side comes from")
    declared: DeclaredLabels
    header_contradictions: list[str] = Field(
        description="attributes of the header that declare different views or sides: another viewer may hang the image elsewhere"
    )
    pixels: PixelLabels
    view_modifiers: list[ViewModifier] = Field(description="as declared (PS3.16 CID 4015): magnified, rolled and so on")
    image_rotation: Literal[0, 90, 180, 270] = Field(
        description="first rotate the stored pixels clockwise by so many degrees (Image Rotation, 0070,0042)"
    )
    image_horizontal_flip: bool = Field(description="then swap left and right (Image Horizontal Flip, 0070,0041)")
    orientation_source: LabelSource = Field(
        description="where the side of the chest wall comes from; none: from nowhere, and the image is taken to be stored as usual"
    )


class NotHungOut(BaseModel):
    """An object of the study that hangs nowhere, and why."""

    sop_instance_uid: str
    series_instance_uid: str
    reason: Reason


class HangingOut(BaseModel):
    """What hangs where. Every object of the study is in exactly one of `slots`, `repeated`, `extras` and `not_hung`."""

    model_config = example(HANGING)

    study_instance_uid: str
    status: Literal["provisional", "final"] = Field(
        description="provisional: by headers where pixels are still to be read; final: the current conclusion knows every image"
    )
    version: int = Field(description="of the current conclusion; 0 before the first")
    complete: bool = Field(description="the four slots are filled")
    held: bool = Field(description="the sides of the whole study seem swapped, or its images are of different patients: a person must look")
    slots: dict[str, HungOut | None] = Field(description="R-CC, L-CC, R-MLO, L-MLO")
    missing: list[str] = Field(description="slots that no image fills")
    repeated: dict[str, list[HungOut]] = Field(description="further images for a filled slot, best first")
    extras: list[HungOut] = Field(description="images for none of the four slots")
    not_hung: list[NotHungOut] = Field(description="objects that are no image to hang")


class HangingPage(BaseModel):
    """A page of a day's worklist."""

    model_config = example({"studies": [HANGING], "next_cursor": None})

    studies: list[HangingOut]
    next_cursor: str | None = Field(description="pass as `cursor` for the next page; null on the last")


class HangingQuestion(BaseModel):
    """Which studies are asked for."""

    model_config = example({"study_instance_uids": [STUDY_INSTANCE_UID, "1.2.826.0.1.3680043.8.498.99"]})

    study_instance_uids: list[Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)]] = Field(
        min_length=1, max_length=MOST_STUDIES
    )


class HangingBatch(BaseModel):
    """Answers in the order of the question, each study once."""

    model_config = example({"studies": [HANGING], "unknown": ["1.2.826.0.1.3680043.8.498.99"]})

    studies: list[HangingOut]
    unknown: list[str] = Field(description="studies that were asked for and never received")
