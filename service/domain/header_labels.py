"""View, modifiers and side that a header declares: from codes where it has them, from text where it has not."""

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
_SPOKEN = {"MAG": ViewModifier.M, "MAGNIFICATION": ViewModifier.M, "MAGNIFIED": ViewModifier.M, "SPOT": ViewModifier.S}
_SUFFIX = "|".join(sorted(_ABBREVIATIONS, key=len, reverse=True))
_LABEL = re.compile(rf"(?P<prefix>[MS])?(?P<view>XCCL|XCCM|CC|MLO|LMO|ML|LM|FB|SIO|ISO)(?P<suffixes>({_SUFFIX})*)")
"""Labelling codes of the ACR: a modifier before the view or after it, as in ``MCC``, ``CCID``, ``SMLO``; a side may stand in front."""

_PROSE_VIEWS = frozenset({View.CC, View.MLO, View.ML, View.LM, View.LMO, View.XCCL, View.XCCM})
"""Views believed in free text: FB, SIO and ISO are words of other trades."""
_DESCRIPTIONS = ("SeriesDescription", "ImageComments", "ProtocolName")


@dataclass(frozen=True)
class _Said:
    """What one attribute says."""

    views: frozenset[View]
    sides: frozenset[Laterality]
    modifiers: frozenset[ViewModifier]


def read_view(dataset: Dataset) -> tuple[View, tuple[ViewModifier, ...], str]:
    """The declared view, its modifiers, and the keyword that declared it ('' where none did).

    View Code Sequence wins over View Position (PS3.3 C.8.11.7), both over Patient Orientation (where CBIS-DDSM keeps the view) and free
    text. Modifiers are joined from everywhere, since any of them takes the image out of the ordinary.
    """
    coded = [_VIEWS[value] for value in _codes(dataset, "ViewCodeSequence") if value in _VIEWS]
    modifiers = {
        _MODIFIERS.get(value, ViewModifier.UNKNOWN)
        for item in read_items(dataset, "ViewCodeSequence")
        for value in _codes(item, "ViewModifierCodeSequence")
    }
    declared, source = (coded[0], "ViewCodeSequence") if coded else (View.UNKNOWN, "")
    for keyword in ("ViewPosition", "PatientOrientation", *_DESCRIPTIONS):
        said = _listen(dataset, keyword)
        modifiers |= said.modifiers
        if not source and len(said.views) == 1:  # "CC and MLO" describes a series, not an image
            (declared,), source = said.views, keyword
    return declared, tuple(sorted(modifiers)), source


def read_laterality(dataset: Dataset) -> tuple[Laterality, str]:
    """The declared side and the keyword that declared it: Image Laterality, the series' Laterality, else text such as ``LCC``."""
    for keyword in ("ImageLaterality", "Laterality"):
        side = _SIDES.get(read_term(dataset, keyword))
        if side:
            return side, keyword
    for keyword in ("ViewPosition", "PatientOrientation", *_DESCRIPTIONS):
        said = _listen(dataset, keyword)
        if len(said.sides) == 1:
            return next(iter(said.sides)), keyword
    return Laterality.UNKNOWN, ""


def _listen(dataset: Dataset, keyword: str) -> _Said:
    """Read one text attribute word by word."""
    views: set[View] = set()
    sides: set[Laterality] = set()
    modifiers: set[ViewModifier] = set()
    prose = keyword in _DESCRIPTIONS
    for word in read_words(dataset, keyword):
        label = _parse_label(word)
        if label and (not prose or label[1] in _PROSE_VIEWS):
            sides |= {label[0]} - {Laterality.UNKNOWN}
            views.add(label[1])
            modifiers |= label[2]
        elif word in _SIDES and word != "B" and keyword != "PatientOrientation":  # whose letters are directions
            sides.add(_SIDES[word])
        elif word in (_ABBREVIATIONS if keyword == "ViewPosition" else _SPOKEN if prose else {}):
            modifiers.add(_ABBREVIATIONS.get(word, ViewModifier.M))
    if prose and not sides:
        views -= {View.ML, View.LM}  # millilitres
    return _Said(frozenset(views), frozenset(sides), frozenset(modifiers))


def _parse_label(word: str) -> tuple[Laterality, View, set[ViewModifier]] | None:
    """Take ``RMLOID`` apart. A reading without a side comes first: LM and LMO are views, not the left of something."""
    for side, rest in ((Laterality.UNKNOWN, word), (_SIDES.get(word[:1]), word[1:])):
        match = _LABEL.fullmatch(rest)
        if match and side in (Laterality.UNKNOWN, Laterality.R, Laterality.L):
            marks = [match["prefix"] or "", *re.findall(_SUFFIX, match["suffixes"])]
            return side, View(match["view"]), {_ABBREVIATIONS[mark] for mark in marks if mark}
    return None


def _codes(dataset: Dataset, keyword: str) -> list[str]:
    """Code values of a code sequence, '' for a scheme that is not read."""
    return [
        read_term(item, "CodeValue") if read_term(item, "CodingSchemeDesignator") in READABLE_SCHEMES else ""
        for item in read_items(dataset, keyword)
    ]
