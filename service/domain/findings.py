"""What is known of an image, a study and a delivery. Frozen values that travel as JSON between rooms; no rule lives here."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.vocabulary import Density, ImageKind, Laterality, View, ViewModifier


class _Value(BaseModel):
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


class Reason(_Value):
    """Why something was not done: a stable code for programs, a sentence for people (never with patient data)."""

    code: str
    text: str


class InstanceHeader(_Value):
    """The parts of a DICOM header that rules read, parsed into enums at the door."""

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
    view_source: str = Field("", description="DICOM keyword that declared the view, '' where none did")
    laterality_source: str = Field("", description="DICOM keyword that declared the laterality, '' where none did")
    has_pixels: bool = False
    rows: int = 0
    columns: int = 0
    frames: int = 1
    samples_per_pixel: int = 1
    magnification: float = Field(1.0, description="estimated radiographic magnification factor, 1 for contact")
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

    @property
    def detector_flipped(self) -> bool:
        """The header declares that the detector flipped the image left to right."""
        return self.field_of_view_horizontal_flip == "YES"


class ModelIdentity(_Value):
    """Which network said it."""

    name: str
    version: str
    sha256: str
    task: str = Field("", description="what it answers: labeler or cancer")
    calibration: str = Field("none", description="name of the calibration applied to its scores; 'none' for raw scores")


class Label(_Value):
    """A label read from pixels. `value` is UNKNOWN where the best class stays below the manifest's confidence threshold."""

    value: str
    confidence: float
    probabilities: dict[str, float]


class Peak(_Value):
    """The highest point of the heatmap, in source pixels (row, column) with its strength 0 to 1."""

    row: float
    column: float
    strength: float


class Marker(_Value):
    """A lead marker burned into the picture, where one could be read."""

    text: str
    laterality: Laterality = Laterality.UNKNOWN
    view: View = View.UNKNOWN
    confidence: float


class ImageFinding(_Value):
    """The answer for one image: labels and score, or the reason why there are none."""

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
    outline: tuple[tuple[float, float], ...] = Field((), description="around the peak: (row, column) of each corner, source pixels")
    marker: Marker | None = None
    inverted: bool = Field(False, description="the pixels showed a white background that the header did not announce")
    models: tuple[ModelIdentity, ...] = ()
    provider: str = ""
    seconds: float = 0.0


class Agreement(StrEnum):
    AGREE = "agree"
    MISSING = "missing"
    CONTRADICT = "contradict"
    UNSURE = "unsure"


class CorrectionKind(StrEnum):
    """In what way header and pixels differ; a policy names each kind."""

    MISSING = "missing"
    CONTRADICTS = "contradicts"
    MIRRORED = "mirrored"
    """The whole picture is flipped: its labels are right, its orientation is not."""
    SIDES_SWAPPED = "sides-swapped"
    """Both breasts of the study bear the other's label."""
    VIEW_UNKNOWN = "view-unknown"
    """A view is declared that the networks do not know: it can neither be confirmed nor corrected."""


class CorrectionState(StrEnum):
    """The life of a correction in the ledger."""

    REPORTED = "reported"
    """Written into reports only; a person may still approve it where nothing stands in the way."""
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """A later conclusion of the study sees no such difference any more."""
    APPLIED = "applied"
    """Every destination took it; the proof is still to come."""
    VERIFIED = "verified"
    MISMATCH = "mismatch"
    """A destination did not take it, or kept the old labels."""
    REVERTING = "reverting"
    REVERTED = "reverted"


class Evidence(_Value):
    """A witness for or against a difference: a stable code, a sentence, and the image it stands in where that is another one."""

    code: str
    text: str
    sop_instance_uid: str = ""


class LabelCorrection(_Value):
    """Declared labels of one image against those of its pixels. What becomes of a difference is policy's and the ledger's."""

    sop_instance_uid: str
    view: Agreement
    laterality: Agreement
    declared_view: View
    declared_laterality: Laterality
    pixel_view: View
    pixel_laterality: Laterality
    kind: CorrectionKind | None = Field(None, description="null where nothing differs")
    confidence: float = Field(0.0, description="of the least sure label that would be written")
    evidence: tuple[Evidence, ...] = ()
    film: bool = Field(False, description="digitised film, which a destination must opt in for")
    blocked_reason: str = Field(
        "", description="why this image is reported only, whatever policy or a person says; '' where nothing stands in the way"
    )
    reason: str = ""

    @property
    def changes_something(self) -> bool:
        return self.kind is not None

    @property
    def new_view(self) -> View:
        """The view after the correction: that of the pixels where the declared one is missing or wrong."""
        return self.pixel_view if self.view in (Agreement.MISSING, Agreement.CONTRADICT) else self.declared_view

    @property
    def new_laterality(self) -> Laterality:
        """The side after the correction; a mirrored picture keeps its declared side."""
        wrong = self.laterality in (Agreement.MISSING, Agreement.CONTRADICT) and self.kind is not CorrectionKind.MIRRORED
        return self.pixel_laterality if wrong else self.declared_laterality


class Verdict(StrEnum):
    """What the images of a study say together about its labels."""

    AS_DECLARED = "as-declared"
    ONE_WRONG_LABEL = "one-wrong-label"
    SIDES_SWAPPED = "sides-swapped"
    MIRRORED = "mirrored"
    INCONCLUSIVE = "inconclusive"
    """Something differs, and the images together do not settle what."""


class Reasoning(_Value):
    """The study-level reasoning, in a word and in sentences."""

    verdict: Verdict = Verdict.AS_DECLARED
    text: str = ""


class TriageFlag(StrEnum):
    SUSPICIOUS = "suspicious"
    ROUTINE = "routine"
    NOT_SCORED = "not-scored"


class BreastFinding(_Value):
    laterality: Laterality
    score: float | None
    density: Density
    images: tuple[str, ...]


class Conclusion(_Value):
    """The answer for one study. A new version supersedes the former one."""

    study_instance_uid: str
    version: int
    fingerprint: str = Field(description="sha256 over the images concluded on and the models used: equal input, equal fingerprint")
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


class ObjectKind(StrEnum):
    """What is produced for a destination."""

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
    """PENDING and SENT are on the way; the others are terminal."""

    PENDING = "pending"
    SENT = "sent"
    VERIFIED = "verified"
    MISMATCH = "mismatch"
    """The destination said yes and holds something else."""
    REJECTED = "rejected"
    """The destination said no, for good."""
    FAILED = "failed"
    """It could not be brought to an end: unreachable or unproven through every try."""
    UNSUPPORTED = "unsupported"
    """The destination does not take objects of this class; by agreement, so nothing is wrong."""

    @property
    def is_open(self) -> bool:
        """A worker still has something to do."""
        return self in (DeliveryState.PENDING, DeliveryState.SENT)
