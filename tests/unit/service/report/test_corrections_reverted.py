"""For every header: a correction changes only what it may, and reverting it restores every value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from models.vocabulary import Laterality, View
from service.domain.attribute_changes import AttributeChanges
from service.domain.findings import Agreement, CorrectionKind, LabelCorrection, ModelIdentity
from service.domain.instance_reference import InstanceReference
from service.domain.policy import ObjectMode
from service.errors import Irreversible, NothingToCorrect, UnreadableRecord
from service.report.allow_list import ALLOWED, allowed, differing
from service.report.corrected_instance import build_corrected, build_reverted
from service.report.label_changes import (
    LABELS,
    DecidedCorrection,
    Decision,
    changes_to_correct,
    changes_to_revert,
    declared_label,
    set_labels,
)
from service.report.orientation import is_valid_orientation
from tests.support.irregular_headers import (
    COERCED,
    EQUIPMENT,
    IMAGE_LATERALITY,
    LATERALITY,
    ORIENTATION,
    RECORDS,
    VIEW_CODES,
    VIEW_POSITION,
    VIEWS,
    Elements,
    InstanceHeader,
    headers,
    items,
    parse,
    text,
)

AT = datetime(2026, 3, 5, 14, 30, 15, tzinfo=UTC)
LATER = Decision("B. Head", "it was right before", AT + timedelta(days=1))
MODEL = ModelIdentity(name="mammotriage-labeler", version="1.0.0", sha256="a" * 64, task="labeler")
LABEL_TAGS = {VIEW_CODES, VIEW_POSITION, IMAGE_LATERALITY, LATERALITY, ORIENTATION}
Built = TypeVar("Built", Dataset, AttributeChanges)
MODES: list[ObjectMode] = ["new-series", "overwrite"]

# pydicom warns of unknown character sets and malformed values, which these headers have on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

WRITABLE = [kind for kind in CorrectionKind if kind not in (CorrectionKind.VIEW_UNKNOWN, CorrectionKind.HEADER_CONTRADICTS_ITSELF)]

# Without shrinking: it would take longer than a test may.
many = settings(
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@st.composite
def changes(draw: st.DrawFn) -> DecidedCorrection:
    """Decisions of every kind; how the header compared is drawn freely, so it may be quite wrong about the header."""
    view, side = draw(st.sampled_from(Agreement)), draw(st.sampled_from(Agreement))
    correction = LabelCorrection(
        sop_instance_uid="1.2.826.0.1.4",
        view=view,
        laterality=side,
        declared_view=draw(st.sampled_from([View.CC, View.MLO, View.UNKNOWN])),
        declared_laterality=draw(st.sampled_from([Laterality.R, Laterality.L, Laterality.UNKNOWN])),
        pixel_view=draw(st.sampled_from([View.CC, View.MLO, View.UNKNOWN])),
        pixel_laterality=draw(st.sampled_from([Laterality.R, Laterality.L, Laterality.UNKNOWN])),
        kind=draw(st.sampled_from(WRITABLE)),
        reason="the pixels show it",
    )
    actor = draw(st.sampled_from(["A. Reader", "Ж. Петрова", "policy"]))
    return DecidedCorrection(correction, Decision(actor, "seen\non the screen", AT), (MODEL,), draw(st.sampled_from([True, False, None])))


def build(make: Callable[[], Built]) -> Built:
    """Build, or drop the example if the correction has nothing to write or a present value could not be kept."""
    try:
        return make()
    except (NothingToCorrect, UnreadableRecord, Irreversible) as refused:
        event(type(refused).__name__)
        assume(False)
        raise


def tags_of(keywords: frozenset[str]) -> set[int]:
    return {int(tag_for_keyword(keyword) or 0) for keyword in keywords}


@many
@given(headers(), changes(), st.sampled_from(MODES))
def test_nothing_outside_the_allow_list_changes(header: InstanceHeader, change: DecidedCorrection, mode: ObjectMode) -> None:
    corrected = build(lambda: build_corrected(change, header.read(), mode))
    received, written = parse(header.read()), parse(corrected)
    permitted = tags_of(allowed(mode, change.correction.kind))
    kept = {tag: value for tag, value in received.items() if tag not in permitted}
    assert {tag: value for tag, value in written.items() if tag not in permitted} == kept
    if change.correction.kind is CorrectionKind.MIRRORED:
        assert {tag: written.get(tag) for tag in LABEL_TAGS - {ORIENTATION}} == {
            tag: received.get(tag) for tag in LABEL_TAGS - {ORIENTATION}
        }
    assert written[0x7FE00010] == received[0x7FE00010]


@many
@given(headers(), changes(), st.sampled_from(MODES))
def test_undone_every_attribute_is_as_it_was_received(header: InstanceHeader, change: DecidedCorrection, mode: ObjectMode) -> None:
    undone = build(lambda: build_reverted(change, LATER, header.read(), mode))
    received, written = parse(header.read()), parse(undone)
    changed_tags = {RECORDS, EQUIPMENT, COERCED} if mode == "overwrite" else tags_of(ALLOWED[mode]) - LABEL_TAGS - {0x0008103E}
    kept = {tag: value for tag, value in received.items() if tag not in changed_tags}
    assert {tag: value for tag, value in written.items() if tag not in changed_tags} == kept


@many
@given(headers(), changes(), st.sampled_from(MODES))
def test_earlier_records_are_kept_before_the_new_ones(header: InstanceHeader, change: DecidedCorrection, mode: ObjectMode) -> None:
    corrected = build(lambda: build_corrected(change, header.read(), mode))
    undone = build_reverted(change, LATER, header.read(), mode)
    for tag in (RECORDS, EQUIPMENT):
        earlier = items(parse(header.read()).get(tag, ("", b""))[1], header.implicit)
        first = items(parse(corrected)[tag][1], header.implicit)
        second = items(parse(undone)[tag][1], header.implicit)
        assert (first[:-1], second[:-1]) == (earlier, first)


@many
@given(headers(), changes(), st.sampled_from(MODES))
def test_the_record_alone_is_enough_to_put_every_former_label_back(
    header: InstanceHeader, change: DecidedCorrection, mode: ObjectMode
) -> None:
    corrected = parse(build(lambda: build_corrected(change, header.read(), mode)))
    record = items(corrected[RECORDS][1], header.implicit)[-1]
    (former,) = items(record[0x04000550][1], header.implicit)
    restored = {tag: value for tag, value in corrected.items() if tag in LABEL_TAGS} | former
    for malformed in items(record.get(0x04000551, ("", b""))[1], header.implicit):
        group, element = malformed[0x00720026][1][:2], malformed[0x00720026][1][2:]
        tag = int.from_bytes(group, "little") << 16 | int.from_bytes(element, "little")
        restored[tag] = "", malformed[0x04000552][1]
    received = parse(header.read())
    assert {tag: value for tag, value in values_of(restored).items() if tag in LABEL_TAGS} == {
        tag: value for tag, value in values_of(received).items() if tag in LABEL_TAGS
    }


def values_of(elements: Elements) -> dict[int, bytes]:
    """Values without VR; what is empty counts as absent, which a record cannot tell apart."""
    return {tag: value for tag, (_, value) in elements.items() if value.strip() and not value.startswith(b"\xfe\xff\xdd\xe0")}


@many
@given(headers(), changes(), st.sampled_from(MODES))
def test_view_side_and_orientation_agree_afterwards(header: InstanceHeader, change: DecidedCorrection, mode: ObjectMode) -> None:
    corrected = build(lambda: build_corrected(change, header.read(), mode))
    written, correction = parse(corrected), change.correction
    side, view = correction.new_laterality, correction.new_view
    if correction.kind is not CorrectionKind.MIRRORED:
        if correction.laterality is not Agreement.UNSURE and side is not Laterality.UNKNOWN:
            assert text(written[IMAGE_LATERALITY][1]) == side
            assert text(written.get(LATERALITY, ("", b""))[1]) in ("", side)
        if correction.view is not Agreement.UNSURE and view is not View.UNKNOWN:
            (code,) = items(written[VIEW_CODES][1], header.implicit)
            assert VIEWS[text(code[0x00080100][1])] == text(written[VIEW_POSITION][1]) == view
    if change.chest_wall_right is not None and view != View.UNKNOWN and side != Laterality.UNKNOWN:
        rows, columns = text(written[ORIENTATION][1]).split("\\")
        assert rows[0] == ("P" if change.chest_wall_right else "A")
        assert {"R": "L", "L": "R"}[side] in columns and side.value not in columns
        assert ("F" in columns) or view is View.CC
    orientation = corrected.get("PatientOrientation")
    if ORIENTATION in tags_of(frozenset(differing(header.read(), corrected))):
        assert not orientation or is_valid_orientation(orientation)


@many
@given(headers(), changes())
def test_changes_for_an_archive_are_labels_only_and_can_be_reverted(header: InstanceHeader, change: DecidedCorrection) -> None:
    forth = build(lambda: changes_to_correct(change, header.read()))
    back = changes_to_revert(change, header.read(), LATER)
    permitted = {"PatientOrientation"} if change.correction.kind is CorrectionKind.MIRRORED else set(LABELS)
    assert set(forth.values) == set(back.values) <= permitted == allowed("archive-api", change.correction.kind)
    assert forth.instance == back.instance == InstanceReference.of(header.read())
    received, held = header.read(), header.read()
    for asked in (forth, back):
        # As an archive would: remove, then replace.
        for keyword in asked.removed:
            if keyword in held:
                del held[keyword]
        held.update(asked.dataset())
        for keyword, value in asked.values.items():
            assert declared_label(held, keyword) == value
    assert declared_label(held, "ViewCodeSequence") == declared_label(received, "ViewCodeSequence")
    assert labels_of(parse(held)) == labels_of(parse(received))
    set_labels(held, forth.values)
    with pytest.raises(NothingToCorrect):
        changes_to_correct(change, held)


def labels_of(elements: Elements) -> dict[int, list[bytes]]:
    """Text labels without padding; an empty one is not an absent one here."""
    return {tag: [part.strip(b" \0") for part in elements[tag][1].split(b"\\")] for tag in (LABEL_TAGS - {VIEW_CODES}) & set(elements)}
