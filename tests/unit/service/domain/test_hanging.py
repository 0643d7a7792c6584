"""Images hang by what their pixels show."""

from __future__ import annotations

import random
from typing import Any

import pytest

from models.vocabulary import ImageKind, Laterality, View, ViewModifier
from service.domain.display_orientation import LabelSource
from service.domain.hanging import SLOTS, hang
from service.domain.study_image import StudyImage
from tests.support.analysed_images import analysed_image, mirror, mislabel, standard_study

RIGHT_CC = (View.CC, Laterality.R)
NOTHING = (View.UNKNOWN, Laterality.UNKNOWN)


def candidates(*images: object) -> list[StudyImage]:
    return [StudyImage(image.header, image.finding) for image in images]  # type: ignore[attr-defined]


def test_a_standard_study_fills_the_four_slots() -> None:
    hanging = hang(candidates(*standard_study()))
    assert hanging.missing == []
    assert hanging.extras == []
    assert [slot for slot, hung in hanging.slots.items() if hung] == list(SLOTS)


def test_pixels_outrank_the_header_on_the_view_where_the_other_images_bear_them_out() -> None:
    hanging = hang(candidates(*standard_study(rcc=analysed_image("1", declared=(View.MLO, Laterality.R), pixels=("CC", "R")))))
    hung = hanging.slots["R-CC"]
    assert hung is not None
    assert (hung.image.header.view, hung.view_source) == (View.MLO, LabelSource.PIXELS)
    assert hanging.repeated == {}


def test_an_image_without_labels_hangs_by_its_pixels() -> None:
    hung = hang(candidates(analysed_image("1", declared=NOTHING, pixels=("MLO", "L")))).slots["L-MLO"]
    assert hung is not None
    assert (hung.view_source, hung.laterality_source) == (LabelSource.PIXELS, LabelSource.PIXELS)


def test_pixels_outrank_the_header_on_the_side_where_the_other_images_bear_them_out() -> None:
    hanging = hang(candidates(*standard_study(rcc=mislabel(standard_study()[0]))))
    hung = hanging.slots["R-CC"]
    assert hung is not None
    assert (hung.image.header.laterality, hung.laterality_source) == (Laterality.L, LabelSource.PIXELS)
    assert hanging.repeated == {}


def test_a_mirrored_picture_hangs_as_it_is_declared() -> None:
    hanging = hang(candidates(*standard_study(rcc=mirror(standard_study()[0]))))
    hung = hanging.slots["R-CC"]
    assert hung is not None
    assert hung.laterality_source is LabelSource.HEADER
    assert (hanging.missing, hanging.repeated) == ([], {})


def test_what_nothing_settles_hangs_as_it_is_declared() -> None:
    alone = analysed_image("1", declared=RIGHT_CC, pixels=("MLO", "L"))
    for study in ([alone], [mislabel(standard_study()[0])], [mislabel(image) for image in standard_study()]):
        for slot, hung in hang(candidates(*study)).slots.items():
            assert hung is None or f"{hung.image.header.laterality}-{hung.image.header.view}" == slot


def test_a_view_that_the_other_images_of_the_breast_speak_against_hangs_as_declared() -> None:
    hanging = hang(candidates(*standard_study(rcc=analysed_image("1", declared=RIGHT_CC, pixels=("MLO", "R")))))
    assert (hanging.missing, hanging.repeated) == ([], {})


def test_the_header_serves_until_the_pixels_are_read() -> None:
    image = analysed_image("1", declared=RIGHT_CC, pixels=("CC", "R"))
    hung = hang([StudyImage(image.header, None)]).slots["R-CC"]
    assert hung is not None
    assert (hung.view_source, hung.laterality_source) == (LabelSource.HEADER, LabelSource.HEADER)


def test_an_unsure_label_falls_back_to_the_header_for_that_label_only() -> None:
    hung = hang(candidates(analysed_image("1", declared=RIGHT_CC, pixels=("UNKNOWN", "R")))).slots["R-CC"]
    assert hung is not None
    assert (hung.view_source, hung.laterality_source) == (LabelSource.HEADER, LabelSource.PIXELS)


def test_a_repeated_view_is_named_and_arrival_order_plays_no_part() -> None:
    first, second = (analysed_image(name, declared=NOTHING, pixels=("CC", "R")) for name in ("1", "2"))
    there, back = hang(candidates(first, second)), hang(candidates(second, first))
    assert there.slots == back.slots
    assert [hung.image.header.sop_instance_uid for hung in there.repeated["R-CC"]] == ["1.2.2"]


def test_an_image_read_from_pixels_is_chosen_over_one_that_only_declares() -> None:
    read = analysed_image("2", declared=NOTHING, pixels=("CC", "R"))
    declared = analysed_image("1", declared=RIGHT_CC, pixels=("CC", "R"))
    hanging = hang([StudyImage(declared.header, None), StudyImage(read.header, read.finding)])
    hung = hanging.slots["R-CC"]
    assert hung is not None
    assert hung.image.header.sop_instance_uid == "1.2.2"


def test_what_fits_no_slot_is_an_extra() -> None:
    image = analysed_image("1", declared=(View.ML, Laterality.L), pixels=("UNKNOWN", "L"))
    hanging = hang(candidates(image))
    assert [hung.slot for hung in hanging.extras] == ["L-ML"]
    assert hanging.missing == list(SLOTS)


def test_a_special_view_hangs_beside_the_four_whatever_its_pixels_show() -> None:
    rolled = analysed_image("1", RIGHT_CC, ("CC", "R"), modifiers=(ViewModifier.RL,))
    hanging = hang(candidates(*standard_study(), rolled._replace(header=rolled.header.model_copy(update={"sop_instance_uid": "1.2.0"}))))
    assert [hung.image.header.sop_instance_uid for hung in hanging.extras] == ["1.2.0"]
    assert (hanging.missing, hanging.repeated) == ([], {})


def test_a_magnified_view_hangs_though_the_networks_do_not_read_it() -> None:
    magnified = analysed_image("9", RIGHT_CC, ("CC", "R"), modifiers=(ViewModifier.M,))
    hanging = hang([StudyImage(magnified.header, None)])
    assert [hung.slot for hung in hanging.extras] == ["R-CC"]
    assert hanging.not_hung == []


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"kind": ImageKind.TOMOSYNTHESIS}, "tomosynthesis"),
        ({"kind": ImageKind.UNKNOWN, "modality": "US"}, "not-mammography"),
        ({"presentation_intent": "FOR PROCESSING"}, "for-processing"),
    ],
)
def test_what_is_no_picture_to_hang_is_named_with_its_reason_before_it_is_read(field: dict[str, Any], code: str) -> None:
    image = analysed_image("1", RIGHT_CC, ("CC", "R"), **field)
    hanging = hang([StudyImage(image.header, None)])
    assert [(each.header.sop_instance_uid, each.reason.code) for each in hanging.not_hung] == [(image.uid, code)]
    assert hanging.missing == list(SLOTS)


def test_an_exposure_comes_before_a_picture_computed_from_a_tomosynthesis() -> None:
    computed = analysed_image("1", RIGHT_CC, ("CC", "R"), kind=ImageKind.SYNTHESISED)
    exposed = analysed_image("2", RIGHT_CC, ("CC", "R"))
    hanging = hang(candidates(computed, exposed))
    hung = hanging.slots["R-CC"]
    assert hung is not None
    assert hung.image.header.sop_instance_uid == exposed.uid
    assert [each.image.header.sop_instance_uid for each in hanging.repeated["R-CC"]] == [computed.uid]


@pytest.mark.parametrize("seed", range(5))
def test_every_image_has_exactly_one_place(seed: int) -> None:
    choose = random.Random(seed)
    study = [
        analysed_image(
            str(number),
            (choose.choice(list(View)), choose.choice(list(Laterality))),
            (choose.choice(["CC", "MLO", "UNKNOWN"]), choose.choice(["L", "R", "UNKNOWN"])),
            modifiers=choose.choice([(), (ViewModifier.S,), (ViewModifier.UNKNOWN,)]),
            kind=choose.choice(list(ImageKind)),
        )
        for number in range(20)
    ]
    hanging = hang(candidates(*study))
    placed = [hung for hung in hanging.slots.values() if hung]
    placed += [hung for more in hanging.repeated.values() for hung in more] + hanging.extras
    uids = [hung.image.header.sop_instance_uid for hung in placed] + [each.header.sop_instance_uid for each in hanging.not_hung]
    assert sorted(uids) == sorted(image.uid for image in study)
