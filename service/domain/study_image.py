"""One image of a study: its header and, once it is analysed, what its pixels show."""

from __future__ import annotations

from typing import NamedTuple

from models.vocabulary import Laterality, View
from service.domain.agreement import compare_laterality, compare_view
from service.domain.findings import Agreement, ImageFinding, InstanceHeader, InstanceState, Marker
from service.domain.header_contradictions import Contradiction, find_contradictions

TRAINED_VIEWS = frozenset({View.CC, View.MLO})
"""The views that the networks were trained on (Yi et al. 2019)."""


class StudyImage(NamedTuple):
    """An image with its header and its finding; the finding is None until the image is analysed."""

    header: InstanceHeader
    finding: ImageFinding | None = None

    @property
    def uid(self) -> str:
        """SOP Instance UID."""
        return self.header.sop_instance_uid

    @property
    def is_analysed(self) -> bool:
        return self.finding is not None and self.finding.state is InstanceState.ANALYSED

    @property
    def pixel_view(self) -> View:
        """The view that the pixels show."""
        return View(self.finding.view.value) if self.finding and self.finding.view else View.UNKNOWN

    @property
    def pixel_laterality(self) -> Laterality:
        """The side that the orientation of the breast in the pixels shows."""
        return Laterality(self.finding.laterality.value) if self.finding and self.finding.laterality else Laterality.UNKNOWN

    @property
    def marker(self) -> Marker | None:
        """The burned-in marker that was read."""
        return self.finding.marker if self.finding else None

    @property
    def chest_wall_right(self) -> bool | None:
        """The chest wall is at the right edge of the stored pixels; None before the analysis."""
        return self.finding.chest_wall_right if self.finding else None

    @property
    def contradictions(self) -> tuple[Contradiction, ...]:
        """Where the attributes of the header contradict each other."""
        return find_contradictions(self.header, self.pixel_laterality)

    @property
    def view_agreement(self) -> Agreement:
        return compare_view(self.header, self.finding.view if self.finding else None)

    @property
    def laterality_agreement(self) -> Agreement:
        """Declared side against the side that the pixels show. Alone it cannot tell a wrong label from a mirrored image."""
        return compare_laterality(self.header, self.finding.laterality if self.finding else None)
