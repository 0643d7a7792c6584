"""Destinations and priority of a study, by the routing rules of the site from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from service.destinations.peers import Destination, Rule, Source
from service.domain.findings import InstanceHeader, Priority

_URGENCY = (Priority.URGENT, Priority.ROUTINE, Priority.BACKGROUND)
"""Most urgent first."""


def route(
    rules: Sequence[Rule], headers: Sequence[InstanceHeader], calling_ae: str, destinations: Sequence[Destination]
) -> tuple[Destination, ...]:
    """Choose a study's destinations.

    Parameters
    ----------
    rules
        The first rule that matches decides. Without rules every study goes to every destination; with rules, a study that no rule
        matches goes nowhere.
    headers
        The headers of the study. A rule matches a study if one header meets all its conditions.
    calling_ae
        AE title of the sender.

    Returns
    -------
    In the order of `destinations`.
    """
    if not rules:
        return tuple(destinations)
    rule = _find(rules, headers, calling_ae)
    return tuple(each for each in destinations if rule is not None and each.name in rule.to)


def prioritise(rules: Sequence[Rule], headers: Sequence[InstanceHeader], calling_ae: str, priority: Priority) -> Priority:
    """The more urgent of the study's own priority and that of the matching rule."""
    rule = _find(rules, headers, calling_ae)
    return min(priority, rule.priority or priority, key=_URGENCY.index) if rule is not None else priority


def source_of(sources: Sequence[Source], calling_ae: str) -> Source:
    """The table of a sender: the first that matches; the defaults where none does."""
    title = calling_ae.strip().casefold()
    return next((each for each in sources if fnmatchcase(title, each.calling_ae.strip().casefold())), Source())


def _find(rules: Sequence[Rule], headers: Sequence[InstanceHeader], calling_ae: str) -> Rule | None:
    return next((rule for rule in rules if any(_matches(rule, header, calling_ae) for header in headers)), None)


def _matches(rule: Rule, header: InstanceHeader, calling_ae: str) -> bool:
    conditions = (
        (rule.calling_ae, calling_ae),
        (rule.station, header.station_name),
        (rule.institution, header.institution),
        (rule.manufacturer, header.manufacturer),
        (rule.model, header.model_name),
        (rule.modality, header.modality),
        (rule.kind, header.kind),
    )
    return all(fnmatchcase(value.strip().casefold(), pattern.strip().casefold()) for pattern, value in conditions)
