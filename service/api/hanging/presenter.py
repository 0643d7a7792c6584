"""From the ledger's rows to the hanging answer."""

from __future__ import annotations

from collections.abc import Sequence

from service.api.hanging.schemas import HangingOut, HungOut, NotHungOut
from service.api.studies.schemas import DeclaredLabels, PixelLabels
from service.domain.findings import InstanceState
from service.domain.hanging import HungImage, hang
from service.domain.study_image import StudyImage
from service.store.instances import InstanceRow
from service.store.study_progress import StudyProgress


def show_hanging(standing: StudyProgress, instances: Sequence[InstanceRow]) -> HangingOut:
    """What hangs where."""
    hanging = hang([StudyImage(each.header, each.finding) for each in instances])
    return HangingOut(
        study_instance_uid=standing.study_instance_uid,
        status="final" if standing.settled else "provisional",
        version=standing.version,
        complete=not hanging.missing,
        held=standing.held,
        slots={slot: _show(hung) if hung else None for slot, hung in hanging.slots.items()},
        missing=hanging.missing,
        repeated={slot: [_show(hung) for hung in more] for slot, more in hanging.repeated.items()},
        extras=[_show(hung) for hung in hanging.extras],
        not_hung=[
            NotHungOut(
                sop_instance_uid=each.header.sop_instance_uid, series_instance_uid=each.header.series_instance_uid, reason=each.reason
            )
            for each in hanging.not_hung
        ],
    )


def _show(hung: HungImage) -> HungOut:
    header, finding = hung.image
    orientation = hung.orientation
    return HungOut(
        sop_instance_uid=header.sop_instance_uid,
        series_instance_uid=header.series_instance_uid,
        state=finding.state if finding else InstanceState.RECEIVED,
        kind=header.kind,
        view=hung.view,
        laterality=hung.laterality,
        view_source=hung.view_source,
        laterality_source=hung.laterality_source,
        declared=DeclaredLabels(view=header.view, laterality=header.laterality),
        header_contradictions=[each.text for each in hung.image.contradictions],
        pixels=PixelLabels(
            view=finding.view.value if finding and finding.view else None,
            laterality=finding.laterality.value if finding and finding.laterality else None,
        ),
        view_modifiers=list(header.view_modifiers),
        image_rotation=orientation.image_rotation,
        image_horizontal_flip=orientation.image_horizontal_flip,
        orientation_source=orientation.source,
    )
