"""Findings, conclusions, corrections and states, as frozen values that the ledger stores as JSON. The rules are in the other modules."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.vocabulary import Density, ImageKind, Laterality, View, ViewModifier


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class InstanceState(StrEnum):
    """Every received instance leaves RECEIVED for exactly one of the other three."""

    RECEIVED = "received"
    ANALYSED = "analysed"
    SKIPPED = "skipped"
    FAILED = "failed"


class Priority(StrEnum):
    URGENT = "urgent"
    ROUTINE = "routine"
    BACKGROUND = "background"


NOT_MAMMOGRAPHY = "not-mammography"
"""Code of the reason of an object that is no mammogram."""


class Reason(_Frozen):
    """Why something was not done: a stable code for programs, a sentence for people (without patient data)."""

    code: str
    text: str


class DeclaredLabel(_Frozen):
    """What one attribute of a header says of the view or of the side: a witness."""

    label: Literal["view", "laterality"]
    keyword: str = Field(description="DICOM keyword of the attribute")
    value: str = Field(description="a view or a side; NOT_UNDERSTOOD where the attribute says something that the service does not know")
    word: str = Field("", description="the code or the word itself, never patient data; '' where it cannot be shown")


class InstanceHeader(_Frozen):
    """The attributes of a DICOM header that the rules use, parsed into enums when the instance is received."""

    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    modality: str = ""
    kind: ImageKind = ImageKind.UNKNOWN
    view: View = View.UNKNOWN
    view_modifiers: tuple[ViewModifier, ...] = ()
    laterality: Laterality = Laterality.UNKNOWN
    view_source: str = Field("", description="DICOM keyword that declares the view, '' where none does")
    laterality_source: str = Field("", description="DICOM keyword that declares the laterality, '' where none does")
    declared_labels: tuple[DeclaredLabel, ...] = Field(
        (), description="every attribute that says something of view or side; empty in headers that an older version stored"
    )
    has_pixels: bool = False
    rows: int = 0
    columns: int = 0
    frames: int = 1
    samples_per_pixel: int = 1
    magnification: float = Field(1.0, description="radiographic magnification factor, stated or from the distances; 1 for contact")
    presentation_intent: str = ""
    image_type: tuple[str, ...] = ()
    manufacturer: str = ""
    model_name: str = ""
    station_name: str = ""
    software_versions: str = ""
    institution: str = ""
    study_date: str = ""
    accession_number: str = ""
    partial_view: bool = False
    implant: bool = False
    quality_control: bool = False
    lossy: bool = False
    field_of_view_horizontal_flip: Literal["YES", "NO"] | None = Field(None, description="FieldOfViewHorizontalFlip; null where absent")
    orientation: tuple[str, ...] = Field((), description="PatientOrientation: directions of a row and of a column")
    scope: tuple[str, ...] = Field((), description="codes of the reasons for which some attribute puts the image out of scope")

    @property
    def detector_flipped(self) -> bool:
        """The header declares that the detector flipped the image left to right."""
        return self.field_of_view_horizontal_flip == "YES"


class ModelIdentity(_Frozen):
    """A network and its version."""

    name: str
    version: str
    sha256: str
    task: str = Field("", description="what it predicts: labeler or cancer")
    calibration: str = Field("none", description="name of the calibration applied to its scores; 'none' for raw scores")


class Label(_Frozen):
    """A label that a network predicted. `value` is UNKNOWN where the best class is below the manifest's confidence threshold."""

    value: str
    confidence: float
    probabilities: dict[str, float]


class Peak(_Frozen):
    """The highest point of the heatmap, in source pixels (row, column) with its strength 0 to 1."""

    row: float
    column: float
    strength: float


class Marker(_Frozen):
    """A lead marker that is burned into the image and could be read."""

    text: str
    laterality: Laterality = Laterality.UNKNOWN
    view: View = View.UNKNOWN
    confidence: float


class ImageFinding(_Frozen):
    """The result of the analysis of one image: labels and score, or the reason why there are none."""

    sop_instance_uid: str
    state: InstanceState
    reason: Reason | None = None
    kind: ImageKind = ImageKind.UNKNOWN
    view: Label | None = None
    laterality: Label | None = None
    density: Label | None = None
    cancer_score: float | None = Field(None, description="0 to 1")
    peak: Peak | None = None
    chest_wall_right: bool | None = Field(None, description="the chest wall is at the right edge of the pixel matrix")
    turned: bool = Field(
        False, description="Patient Orientation declares another layout than usual, and the networks saw the image turned to the usual one"
    )
    outline: tuple[tuple[float, float], ...] = Field((), description="around the peak: (row, column) of each corner, source pixels")
    marker: Marker | None = None
    inverted: bool = Field(False, description="the pixels have a white background although the header says otherwise")
    models: tuple[ModelIdentity, ...] = ()
    provider: str = ""
    seconds: float = 0.0

    @property
    def is_mammogram(self) -> bool:
        """Tell whether the object is a mammogram, analysed or not; a report, a note or an image of another modality is none."""
        return self.reason is None or self.reason.code != NOT_MAMMOGRAPHY


class Agreement(StrEnum):
    AGREE = "agree"
    MISSING = "missing"
    CONTRADICT = "contradict"
    UNSURE = "unsure"


class CorrectionKind(StrEnum):
    """How header and pixels differ; a policy has an action for each kind."""

    MISSING = "missing"
    CONTRADICTS = "contradicts"
    MIRRORED = "mirrored"
    """The whole image is flipped: its labels are right, its orientation is wrong."""
    SIDES_SWAPPED = "sides-swapped"
    """Both breasts of the study have the label of the other one."""
    VIEW_UNKNOWN = "view-unknown"
    """The networks were not trained on the declared view, or the declared view or side is not understood: nothing can be confirmed."""
    HEADER_CONTRADICTS_ITSELF = "header-contradicts-itself"
    """Two attributes of the header declare different views or sides."""


class CorrectionState(StrEnum):
    """State of a correction in the ledger (`service.domain.correction_lifecycle`)."""

    REPORTED = "reported"
    """Only written into reports; a person may still approve it unless it is blocked."""
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """A later conclusion of the study has no such difference any more."""
    APPLIED = "applied"
    """Every destination accepted it; the proof is pending."""
    VERIFIED = "verified"
    MISMATCH = "mismatch"
    """A destination did not accept it, or still has the old labels."""
    REVERTING = "reverting"
    REVERTED = "reverted"


class Evidence(_Frozen):
    """Independent evidence on a difference: a stable code, a sentence, and the other image where the evidence comes from one."""

    code: str
    text: str
    sop_instance_uid: str = ""


class LabelCorrection(_Frozen):
    """The declared labels of one image compared with its pixels, and what a correction would write."""

    sop_instance_uid: str
    view: Agreement
    laterality: Agreement
    declared_view: View
    declared_laterality: Laterality
    pixel_view: View
    pixel_laterality: Laterality
    kind: CorrectionKind | None = Field(None, description="null where nothing differs")
    confidence: float = Field(0.0, description="lowest confidence of the labels that would be written")
    evidence: tuple[Evidence, ...] = ()
    film: bool = Field(False, description="digitised film; a destination must opt in")
    kept_sources: tuple[str, ...] = Field(
        (), description="keywords of attributes that keep another label than the new one, because no correction changes them"
    )
    blocked_reason: str = Field(
        "", description="why this correction is only reported, even if a policy or a person approves it; '' where it can be applied"
    )
    reason: str = ""

    @property
    def changes_something(self) -> bool:
        return self.kind is not None

    @property
    def new_view(self) -> View:
        """The view after the correction: that of the pixels where the declared view is missing or wrong."""
        return self.pixel_view if self.view in (Agreement.MISSING, Agreement.CONTRADICT) else self.declared_view

    @property
    def new_laterality(self) -> Laterality:
        """The side after the correction; a mirrored image keeps its declared side."""
        wrong = self.laterality in (Agreement.MISSING, Agreement.CONTRADICT) and self.kind is not CorrectionKind.MIRRORED
        return self.pixel_laterality if wrong else self.declared_laterality


class Verdict(StrEnum):
    """The verdict on the labels of a whole study."""

    AS_DECLARED = "as-declared"
    ONE_WRONG_LABEL = "one-wrong-label"
    SIDES_SWAPPED = "sides-swapped"
    MIRRORED = "mirrored"
    INCONCLUSIVE = "inconclusive"
    """Something differs, and the evidence does not decide what is wrong."""


class Reasoning(_Frozen):
    """The verdict on a study with its reasons in sentences."""

    verdict: Verdict = Verdict.AS_DECLARED
    text: str = ""


class TriageFlag(StrEnum):
    SUSPICIOUS = "suspicious"
    ROUTINE = "routine"
    NOT_SCORED = "not-scored"


class BreastFinding(_Frozen):
    laterality: Laterality
    score: float | None
    density: Density
    images: tuple[str, ...]


class Conclusion(_Frozen):
    """The result for one study. A new version supersedes the former one."""

    study_instance_uid: str
    version: int
    fingerprint: str = Field(description="sha256 over the images and the models of this conclusion: equal input, equal fingerprint")
    concluded_at: datetime
    complete: bool = Field(description="the pixels show R-CC, L-CC, R-MLO and L-MLO")
    images: tuple[ImageFinding, ...]
    breasts: tuple[BreastFinding, ...] = ()
    density: Density = Density.UNKNOWN
    score: float | None = None
    threshold: float | None = None
    flag: TriageFlag = TriageFlag.NOT_SCORED
    corrections: tuple[LabelCorrection, ...] = ()
    reasoning: Reasoning = Reasoning()
    models: tuple[ModelIdentity, ...] = ()

    @property
    def has_mammogram(self) -> bool:
        return any(image.is_mammogram for image in self.images)


class ObjectKind(StrEnum):
    """The kind of DICOM object that is built for a destination."""

    CAD = "cad-sr"
    REPORT = "sr"
    HEATMAP = "sc"
    MARKS = "gsps"
    CORRECTED = "corrected"
    REVERTED = "reverted"
    """The former labels of a corrected image, written back."""
    REJECTION = "kos"
    """Key object selection that rejects an image in favour of its corrected copy (IOCM)."""


class DeliveryState(StrEnum):
    """PENDING and SENT are open; the others are terminal (`service.domain.delivery_lifecycle`)."""

    PENDING = "pending"
    SENT = "sent"
    VERIFIED = "verified"
    MISMATCH = "mismatch"
    """The destination accepted the object and holds something else."""
    REJECTED = "rejected"
    """The destination rejected the object permanently."""
    FAILED = "failed"
    """Every try failed: the destination was unreachable, or the arrival could not be proved."""
    UNSUPPORTED = "unsupported"
    """The destination does not accept objects of this class, by agreement: nothing is wrong."""

    @property
    def is_open(self) -> bool:
        """A worker still has something to do."""
        return self in (DeliveryState.PENDING, DeliveryState.SENT)
