"""What an archive is asked to change by itself: the wrong labels, by keyword, and the former ones to undo it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from service.domain.attribute_changes import AttributeChanges
from service.domain.findings import Agreement, CorrectionKind
from service.domain.instance_reference import InstanceReference
from service.errors import Irreversible, NothingToCorrect
from service.report.label_changes import Decision, changes_to_correct, changes_to_revert
from service.report.uids import corrected_uid, reverted_uid
from tests.support.sample_findings import CONCLUDED_AT, analysed, as_received, correction, decided, full_field

SIDE_WRONG = (Agreement.AGREE, Agreement.CONTRADICT)
REVERT = Decision("B. Reader", "was right as it was", CONCLUDED_AT)


def changes(labels: AttributeChanges) -> dict[str, str | None]:
    """Values as text, a code by its meaning."""
    return {key: value[0].CodeMeaning if isinstance(value, tuple) and value else value or None for key, value in labels.values.items()}  # type: ignore[misc]


def test_only_wrong_values_are_changed_and_reverted_to_the_former_ones(tmp_path: Path) -> None:
    source = as_received(full_field("L", "CC"), tmp_path)
    change = decided(correction(source.SOPInstanceUID, ("L", "CC"), ("R", "CC"), *SIDE_WRONG), analysed(source.SOPInstanceUID, "R", "CC"))
    forth, back = changes_to_correct(change, source), changes_to_revert(change, source, REVERT)
    assert changes(forth) == {"ImageLaterality": "R", "PatientOrientation": "P\\L"}
    assert changes(back) == {"ImageLaterality": "L", "PatientOrientation": "A\\R"}
    assert forth.dataset().to_json_dict() == {
        "00200062": {"vr": "CS", "Value": ["R"]},
        "00200020": {"vr": "CS", "Value": ["P", "L"]},
    }
    assert forth.instance == back.instance == InstanceReference.of(source)
    assert forth.reason == back.reason == "CORRECT"


def test_a_missing_label_is_removed_again_and_both_changes_are_recorded(tmp_path: Path) -> None:
    source = as_received(full_field("R", "MLO", labelled=False), tmp_path)
    change = decided(correction(source.SOPInstanceUID, ("UNKNOWN",) * 2, ("R", "MLO")), analysed(source.SOPInstanceUID, "R", "MLO"))
    forth, back = changes_to_correct(change, source), changes_to_revert(change, source, REVERT)
    assert changes(forth) == {"ViewCodeSequence": "medio-lateral oblique", "ViewPosition": "MLO", "ImageLaterality": "R"}
    assert back.removed == ("ViewCodeSequence", "ViewPosition", "ImageLaterality")
    assert len(back.dataset()) == 0
    assert forth.record.ModifiedAttributesSequence[0]["ImageLaterality"].is_empty
    assert back.record.ModifiedAttributesSequence[0].ImageLaterality == "R"


def test_a_mirrored_image_changes_only_its_orientation(tmp_path: Path) -> None:
    source = as_received(full_field("R", "CC"), tmp_path)
    mirrored = correction(source.SOPInstanceUID, ("R", "CC"), ("L", "CC"), *SIDE_WRONG, kind=CorrectionKind.MIRRORED)
    change = decided(mirrored, analysed(source.SOPInstanceUID, "L", "CC"))
    assert changes(changes_to_correct(change, source)) == {"PatientOrientation": "A\\L"}


def test_labels_that_are_right_already_are_not_changed(tmp_path: Path) -> None:
    source = as_received(full_field("R", "CC"), tmp_path)
    change = decided(correction(source.SOPInstanceUID, ("L", "CC"), ("R", "CC"), *SIDE_WRONG), analysed(source.SOPInstanceUID, "R", "CC"))
    with pytest.raises(NothingToCorrect):
        changes_to_correct(change, source)
    with pytest.raises(NothingToCorrect):
        changes_to_revert(change, source, REVERT)


@pytest.mark.parametrize(("former", "asked"), [(b"MLO ", True), (b"links ", True), (b"c\xf4t\xe9", False)])
def test_an_archive_is_not_asked_for_a_change_that_it_could_not_revert(former: bytes, asked: bool, tmp_path: Path) -> None:
    source = as_received(full_field("L", "CC"), tmp_path)
    source["PatientOrientation"] = RawDataElement(Tag("PatientOrientation"), "CS", len(former), former, 0, False, True)
    change = decided(correction(source.SOPInstanceUID, ("L", "CC"), ("R", "CC"), *SIDE_WRONG), analysed(source.SOPInstanceUID, "R", "CC"))
    if asked:
        changes_to_correct(change, source)
        assert changes_to_revert(change, source, REVERT).values["PatientOrientation"] == former.decode().strip()
    else:
        with pytest.raises(Irreversible, match="PatientOrientation"):
            changes_to_correct(change, source)


def test_uids_depend_on_the_written_labels_and_not_on_versions_or_models() -> None:
    first = correction("1.2.3", ("L", "CC"), ("R", "CC"), *SIDE_WRONG)
    surer = first.model_copy(update={"confidence": 0.999, "reason": "another model agrees"})
    other = correction("1.2.3", ("L", "CC"), ("L", "MLO"), Agreement.CONTRADICT, Agreement.AGREE)
    assert corrected_uid("1.2", first) == corrected_uid("1.2", surer)
    names = [corrected_uid("1.2", first), reverted_uid("1.2", first), corrected_uid("1.2", other), corrected_uid("1.4", first)]
    assert len(set(names)) == 4
    swapped = first.model_copy(update={"kind": CorrectionKind.SIDES_SWAPPED})
    # As version 0003 of the ledger holds them: a new word for a kind must not make a second copy of an image.
    assert corrected_uid("1.2", swapped) == "2.25.314152755136094943720079197533857720878"
    assert reverted_uid("1.2", swapped) == "2.25.135158470121131105660886204071377056000"
    for mode in ("overwrite", "archive-api"):
        assert corrected_uid("1.2", first, mode) == reverted_uid("1.2", first, mode) == "1.2.3"
