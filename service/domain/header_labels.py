"""The view, view modifiers and laterality that a header declares: in codes where it has them, otherwise in text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydicom.dataset import Dataset

from models.attributes import read_items, read_term, read_words
from models.vocabulary import MODIFIER_CODES, READABLE_SCHEMES, VIEW_CODES, Laterality, View, ViewModifier

_VIEWS = {value: view for view, code in VIEW_CODES.items() for value in (code.value, *code.legacy)}
_MODIFIERS = {value: modifier for modifier, code in MODIFIER_CODES.items() for value in (code.value, *code.legacy)}
_SIDES = {
    "R": Laterality.R,
    "RT": Laterality.R,
    "RIGHT": Laterality.R,
    "L": Laterality.L,
    "LT": Laterality.L,
    "LEFT": Laterality.L,
    "B": Laterality.B,
}

_ABBREVIATIONS = {each.value: each for each in ViewModifier if each is not ViewModifier.UNKNOWN}
_ABBREVIATIONS |= {"MAG": ViewModifier.M, "SPOT": ViewModifier.S}
_PROSE_MODIFIERS = {"MAG": ViewModifier.M, "MAGNIFICATION": ViewModifier.M, "MAGNIFIED": ViewModifier.M, "SPOT": ViewModifier.S}
_SUFFIX = "|".join(sorted(_ABBREVIATIONS, key=len, reverse=True))
_ACR_LABEL = re.compile(rf"(?P<prefix>[MS])?(?P<view>XCCL|XCCM|CC|MLO|LMO|ML|LM|FB|SIO|ISO)(?P<suffixes>({_SUFFIX})*)")
"""Labelling codes of the ACR: a modifier before or after the view, as in ``MCC``, ``CCID``, ``SMLO``; a side may precede them."""

_PROSE_VIEWS = frozenset({View.CC, View.MLO, View.ML, View.LM, View.LMO, View.XCCL, View.XCCM})
"""Views that are read in free text; FB, SIO and ISO have other meanings there."""
_PROSE_KEYWORDS = ("SeriesDescription", "ImageComments", "ProtocolName")


@dataclass(frozen=True)
class _TextLabels:
    """The labels in the text of one attribute."""

    views: frozenset[View]
    sides: frozenset[Laterality]
    modifiers: frozenset[ViewModifier]


def read_view(dataset: Dataset) -> tuple[View, tuple[ViewModifier, ...], str]:
    """The declared view, its modifiers, and the keyword that declares it ('' where none does).

    View Code Sequence comes before View Position (PS3.3 C.8.11.7), and both before Patient Orientation (where CBIS-DDSM has the view) and
    free text. Modifiers are collected from all attributes, because a single one makes the view a special one.
    """
    coded = [_VIEWS[value] for value in _codes(dataset, "ViewCodeSequence") if value in _VIEWS]
    modifiers = {
        _MODIFIERS.get(value, ViewModifier.UNKNOWN)
        for item in read_items(dataset, "ViewCodeSequence")
        for value in _codes(item, "ViewModifierCodeSequence")
    }
    declared, source = (coded[0], "ViewCodeSequence") if coded else (View.UNKNOWN, "")
    for keyword in ("ViewPosition", "PatientOrientation", *_PROSE_KEYWORDS):
        found = _read_text_labels(dataset, keyword)
        modifiers |= found.modifiers
        if not source and len(found.views) == 1:  # "CC and MLO" describes a series, not an image
            (declared,), source = found.views, keyword
    return declared, tuple(sorted(modifiers)), source


def read_laterality(dataset: Dataset) -> tuple[Laterality, str]:
    """The declared side and the keyword that declares it: Image Laterality, Laterality of the series, otherwise text such as ``LCC``."""
    for keyword in ("ImageLaterality", "Laterality"):
        side = _SIDES.get(read_term(dataset, keyword))
        if side:
            return side, keyword
    for keyword in ("ViewPosition", "PatientOrientation", *_PROSE_KEYWORDS):
        found = _read_text_labels(dataset, keyword)
        if len(found.sides) == 1:
            return next(iter(found.sides)), keyword
    return Laterality.UNKNOWN, ""


def _read_text_labels(dataset: Dataset, keyword: str) -> _TextLabels:
    """Read one text attribute word by word."""
    views: set[View] = set()
    sides: set[Laterality] = set()
    modifiers: set[ViewModifier] = set()
    prose = keyword in _PROSE_KEYWORDS
    for word in read_words(dataset, keyword):
        label = _parse_label(word)
        if label and (not prose or label[1] in _PROSE_VIEWS):
            sides |= {label[0]} - {Laterality.UNKNOWN}
            views.add(label[1])
            modifiers |= label[2]
        elif word in _SIDES and word != "B" and keyword != "PatientOrientation":  # there the letters are directions
            sides.add(_SIDES[word])
        elif word in (_ABBREVIATIONS if keyword == "ViewPosition" else _PROSE_MODIFIERS if prose else {}):
            modifiers.add(_ABBREVIATIONS.get(word, ViewModifier.M))
    if prose and not sides:
        views -= {View.ML, View.LM}  # millilitres
    return _TextLabels(frozenset(views), frozenset(sides), frozenset(modifiers))


def _parse_label(word: str) -> tuple[Laterality, View, set[ViewModifier]] | None:
    """Split a label such as ``RMLOID``. The reading without a side comes first: LM and LMO are views and no left side."""
    for side, rest in ((Laterality.UNKNOWN, word), (_SIDES.get(word[:1]), word[1:])):
        match = _ACR_LABEL.fullmatch(rest)
        if match and side in (Laterality.UNKNOWN, Laterality.R, Laterality.L):
            marks = [match["prefix"] or "", *re.findall(_SUFFIX, match["suffixes"])]
            return side, View(match["view"]), {_ABBREVIATIONS[mark] for mark in marks if mark}
    return None


def _codes(dataset: Dataset, keyword: str) -> list[str]:
    """Code values of a code sequence; '' for an unknown coding scheme."""
    return [
        read_term(item, "CodeValue") if read_term(item, "CodingSchemeDesignator") in READABLE_SCHEMES else ""
        for item in read_items(dataset, keyword)
    ]
