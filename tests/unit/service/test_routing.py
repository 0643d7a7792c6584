"""Rules decide where a study goes: the first that matches, and one image that matches is enough."""

from __future__ import annotations

import pytest

from models.vocabulary import ImageKind
from service.destinations import Destination, Rule
from service.destinations.routing import prioritise, route
from service.domain.findings import InstanceHeader, Priority

PACS, CLOUD = (Destination(name=name, ae_title=name.upper(), host="h", port=1) for name in ("pacs", "cloud"))


def image(**said: object) -> InstanceHeader:
    uids = ("sop_instance_uid", "sop_class_uid", "study_instance_uid", "series_instance_uid", "transfer_syntax_uid")
    return InstanceHeader.model_validate({**dict.fromkeys(uids, "1.2"), "modality": "MG", "kind": ImageKind.FULL_FIELD, **said})


def names(*rules: Rule, headers: tuple[InstanceHeader, ...] = (image(),), calling_ae: str = "ROOM1") -> list[str]:
    return [each.name for each in route(rules, headers, calling_ae, (PACS, CLOUD))]


def test_without_rules_every_study_goes_everywhere() -> None:
    assert names() == ["pacs", "cloud"]


def test_with_rules_a_study_that_none_matches_goes_nowhere() -> None:
    assert names(Rule(to=("pacs",), station="OTHER")) == []


def test_the_first_rule_that_matches_decides() -> None:
    keep = Rule(to=(), station="PHANTOM*")
    rest = Rule(to=("cloud", "pacs"))
    assert names(keep, rest, headers=(image(station_name="phantom 3"),)) == []
    assert names(keep, rest, headers=(image(station_name="ROOM 3"),)) == ["pacs", "cloud"]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"station": "Room ?"}, {"station_name": "ROOM 3 "}),
        ({"institution": "st. *"}, {"institution": "St. Elsewhere"}),
        ({"manufacturer": "*hologic*"}, {"manufacturer": "HOLOGIC, Inc."}),
        ({"model": "Selenia*"}, {"model_name": "Selenia Dimensions"}),
        ({"modality": "mg"}, {"modality": "MG"}),
        ({"kind": "synthesised-2d"}, {"kind": ImageKind.SYNTHESISED}),
    ],
)
def test_every_condition_is_a_pattern_that_ignores_case(condition: dict[str, str], said: dict[str, object]) -> None:
    rule = Rule.model_validate({"to": ["pacs"], **condition})
    (name,) = condition
    other = rule.model_copy(update={name: "something else"})
    assert names(rule, headers=(image(**said),)) == ["pacs"]
    assert names(other, headers=(image(**said),)) == []


def test_who_called_is_a_condition() -> None:
    rule = Rule(to=("pacs",), calling_ae="room*")
    assert names(rule, calling_ae="ROOM1") == ["pacs"]
    assert names(rule, calling_ae="ATTIC") == []


def test_one_image_must_meet_all_conditions_by_itself() -> None:
    rule = Rule(to=("pacs",), station="A", manufacturer="X")
    apart = (image(station_name="A", manufacturer="Y"), image(station_name="B", manufacturer="X"))
    assert names(rule, headers=apart) == []
    assert names(rule, headers=(*apart, image(station_name="A", manufacturer="X"))) == ["pacs"]


def test_a_pattern_holds_no_hidden_meaning_for_brackets_in_values() -> None:
    assert names(Rule(to=("pacs",), station="*"), headers=(image(station_name="[x]"),)) == ["pacs"]


def test_the_rule_that_decides_makes_a_study_more_urgent_never_less() -> None:
    rules = (Rule(to=("pacs",), calling_ae="ER", priority=Priority.URGENT), Rule(to=("pacs",), priority=Priority.BACKGROUND))
    assert prioritise(rules, (image(),), "ER", Priority.ROUTINE) is Priority.URGENT
    assert prioritise(rules, (image(),), "ROOM1", Priority.ROUTINE) is Priority.ROUTINE
    assert prioritise((), (image(),), "ER", Priority.ROUTINE) is Priority.ROUTINE
