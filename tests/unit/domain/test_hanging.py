"""Images hang by what their pixels show."""

from __future__ import annotations

from models.vocabulary import Laterality, View
from service.domain.hanging import SLOTS, Candidate, hang
from service.domain.turning import LabelSource
from tests.unit.domain.images import mirror, seen, standard_study, turn

RIGHT_CC = (View.CC, Laterality.R)
NOTHING = (View.UNKNOWN, Laterality.UNKNOWN)


def candidates(*images: object) -> list[Candidate]:
    return [Candidate(image.header, image.finding) for image in images]  # type: ignore[attr-defined]


def test_a_standard_study_fills_the_four_slots() -> None:
    hanging = hang(candidates(*standard_study()))
    assert hanging.missing == []
    assert hanging.extras == []
    assert [slot for slot, hung in hanging.slots.items() if hung] == list(SLOTS)


def test_pixels_outrank_the_header_on_the_view_where_the_other_images_bear_them_out() -> None:
    hanging = hang(candidates(*standard_study(rcc=seen("1", declared=(View.MLO, Laterality.R), pixels=("CC", "R")))))
    hung = hanging.slots["R-CC"]
    assert hung is not None
    assert (hung.candidate.header.view, hung.view_source) == (View.MLO, LabelSource.PIXELS)
    assert hanging.repeated == {}


def test_an_image_without_labels_hangs_by_its_pixels() -> None:
    hung = hang(candidates(seen("1", declared=NOTHING, pixels=("MLO", "L")))).slots["L-MLO"]
    assert hung is not None
    assert (hung.view_source, hung.laterality_source) == (LabelSource.PIXELS, LabelSource.PIXELS)


def test_pixels_outrank_the_header_on_the_side_where_the_other_images_bear_them_out() -> None:
    hanging = hang(candidates(*standard_study(rcc=turn(standard_study()[0]))))
    hung = hanging.slots["R-CC"]
    assert hung is not None
    assert (hung.candidate.header.laterality, hung.laterality_source) == (Laterality.L, LabelSource.PIXELS)
    assert hanging.repeated == {}


def test_a_mirrored_picture_hangs_as_it_is_declared() -> None:
    hanging = hang(candidates(*standard_study(rcc=mirror(standard_study()[0]))))
    hung = hanging.slots["R-CC"]
    assert hung is not None
    assert hung.laterality_source is LabelSource.HEADER
    assert (hanging.missing, hanging.repeated) == ([], {})


def test_what_nothing_settles_hangs_as_it_is_declared() -> None:
    alone = seen("1", declared=RIGHT_CC, pixels=("MLO", "L"))
    for study in ([alone], [turn(standard_study()[0])], [turn(image) for image in standard_study()]):
        for slot, hung in hang(candidates(*study)).slots.items():
            assert hung is None or f"{hung.candidate.header.laterality}-{hung.candidate.header.view}" == slot


def test_a_view_that_the_other_images_of_the_breast_speak_against_hangs_as_declared() -> None:
    hanging = hang(candidates(*standard_study(rcc=seen("1", declared=RIGHT_CC, pixels=("MLO", "R")))))
    assert (hanging.missing, hanging.repeated) == ([], {})


def test_the_header_serves_until_the_pixels_are_read() -> None:
    image = seen("1", declared=RIGHT_CC, pixels=("CC", "R"))
    hung = hang([Candidate(image.header, None)]).slots["R-CC"]
    assert hung is not None
    assert (hung.view_source, hung.laterality_source) == (LabelSource.HEADER, LabelSource.HEADER)


def test_an_unsure_label_falls_back_to_the_header_for_that_label_only() -> None:
    hung = hang(candidates(seen("1", declared=RIGHT_CC, pixels=("UNKNOWN", "R")))).slots["R-CC"]
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
