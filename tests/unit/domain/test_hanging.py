"""Images hang by what their pixels show."""

from __future__ import annotations

from models.vocabulary import Laterality, View
from service.domain.hanging import SLOTS, Candidate, LabelSource, hang
from tests.unit.domain.images import seen, standard_study

RIGHT_CC = (View.CC, Laterality.R)
NOTHING = (View.UNKNOWN, Laterality.UNKNOWN)


def candidates(*images: object) -> list[Candidate]:
    return [Candidate(image.header, image.finding) for image in images]  # type: ignore[attr-defined]


def test_a_standard_study_fills_the_four_slots() -> None:
    hanging = hang(candidates(*standard_study()))
    assert hanging.missing == []
    assert hanging.extras == []
    assert [slot for slot, hung in hanging.slots.items() if hung] == list(SLOTS)


def test_pixels_outrank_the_header() -> None:
    hanging = hang(candidates(seen("1", declared=RIGHT_CC, pixels=("MLO", "L"))))
    hung = hanging.slots["L-MLO"]
    assert hung is not None
    assert hung.view_source is LabelSource.PIXELS
    assert hanging.slots["R-CC"] is None


def test_the_header_serves_until_the_pixels_are_read() -> None:
    image = seen("1", declared=RIGHT_CC, pixels=("CC", "R"))
    hung = hang([Candidate(image.header, None)]).slots["R-CC"]
    assert hung is not None
    assert (hung.view_source, hung.laterality_source) == (LabelSource.HEADER, LabelSource.HEADER)


def test_an_unsure_label_falls_back_to_the_header_for_that_label_only() -> None:
    hung = hang(candidates(seen("1", declared=RIGHT_CC, pixels=("UNKNOWN", "L")))).slots["L-CC"]
    assert hung is not None
    assert (hung.view_source, hung.laterality_source) == (LabelSource.HEADER, LabelSource.PIXELS)


def test_a_repeated_view_is_named_and_arrival_order_plays_no_part() -> None:
    first, second = (seen(name, declared=NOTHING, pixels=("CC", "R")) for name in ("1", "2"))
    there, back = hang(candidates(first, second)), hang(candidates(second, first))
    assert there.slots == back.slots
    assert [hung.candidate.header.sop_instance_uid for hung in there.repeated["R-CC"]] == ["1.2.2"]


def test_an_image_read_from_pixels_is_chosen_over_one_that_only_declares() -> None:
    read = seen("2", declared=NOTHING, pixels=("CC", "R"))
    declared = seen("1", declared=RIGHT_CC, pixels=("CC", "R"))
    hanging = hang([Candidate(declared.header, None), Candidate(read.header, read.finding)])
    hung = hanging.slots["R-CC"]
    assert hung is not None
    assert hung.candidate.header.sop_instance_uid == "1.2.2"


def test_what_fits_no_slot_is_an_extra() -> None:
    image = seen("1", declared=(View.ML, Laterality.L), pixels=("UNKNOWN", "L"))
    hanging = hang(candidates(image))
    assert [hung.slot for hung in hanging.extras] == ["L-ML"]
    assert hanging.missing == list(SLOTS)
