"""Everything that a header declares of view, view modifiers and side: each attribute is a witness of its own.

A witness says a label, or that it says something which the service does not understand. A label that no attribute speaks of is missing;
only that may be filled in without asking (`service.domain.agreement`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset

from models.attributes import read_items, read_term, read_terms, read_text
from models.label_words import NOT_UNDERSTOOD, TextLabels, read_text_labels
from models.vocabulary import BREAST_CODES, LATERALITY_CODES, MODIFIER_CODES, READABLE_SCHEMES, VIEW_CODES, Laterality, View, ViewModifier
from service.domain.display_orientation import find_orientation_side
from service.domain.findings import DeclaredLabel

_VIEWS = {value: view for view, code in VIEW_CODES.items() for value in (code.value, *code.legacy)}
_MODIFIERS = {value: modifier for modifier, code in MODIFIER_CODES.items() for value in (code.value, *code.legacy)}
_CODED_SIDES = {
    value: side for table in (LATERALITY_CODES, BREAST_CODES) for side, code in table.items() for value in (code.value, *code.legacy)
}
_TERMS = {"R": Laterality.R, "RT": Laterality.R, "RIGHT": Laterality.R, "L": Laterality.L, "LT": Laterality.L, "LEFT": Laterality.L}
_TERMS["B"] = Laterality.B

_PROSE_KEYWORDS = ("SeriesDescription", "ImageComments", "ProtocolName", "AcquisitionDeviceProcessingDescription")
_NAMING_KEYWORDS = (
    "PatientName",
    "PatientID",
    "OtherPatientIDs",
    "OtherPatientNames",
    "PatientBirthDate",
    "AccessionNumber",
    "ReferringPhysicianName",
    "OperatorsName",
    "PerformingPhysicianName",
)
"""Attributes that identify people: a word that one of them has is never shown."""


def gather_labels(dataset: Dataset) -> tuple[DeclaredLabel, ...]:
    """Every witness of view and side, in the order in which `read_view` and `read_laterality` believe them.

    View Code Sequence and Image Laterality come first (PS3.3 C.8.11.7); free text and Patient Orientation come last.
    """
    found = (
        *_read_view_codes(dataset),
        *_read_side_terms(dataset, "ImageLaterality"),
        *_read_side_terms(dataset, "Laterality"),
        *_read_frames(dataset),
        *_read_anatomy(dataset),
        *_read_text(dataset, "BodyPartExamined", coded=False),
        *_read_text(dataset, "ViewPosition", coded=True),
        *_read_orientation_text(dataset),
        *(label for keyword in _PROSE_KEYWORDS for label in _read_text(dataset, keyword, coded=False)),
    )
    names = _read_names(dataset)
    shown = tuple(dict.fromkeys(each if _is_harmless(each.word, names) else each.model_copy(update={"word": ""}) for each in found))
    view = find_view(shown)[0]
    return (*shown, *_read_orientation_side(dataset, view))


def find_view(declared: tuple[DeclaredLabel, ...]) -> tuple[View, str]:
    """The first view that is understood, and its keyword; UNKNOWN and '' where there is none."""
    return next(
        ((View(each.value), each.keyword) for each in declared if each.label == "view" and each.value != NOT_UNDERSTOOD), (View.UNKNOWN, "")
    )


def find_laterality(declared: tuple[DeclaredLabel, ...]) -> tuple[Laterality, str]:
    """The first side that is understood, and its keyword."""
    return next(
        ((Laterality(each.value), each.keyword) for each in declared if each.label == "laterality" and each.value != NOT_UNDERSTOOD),
        (Laterality.UNKNOWN, ""),
    )


def read_view(dataset: Dataset) -> tuple[View, tuple[ViewModifier, ...], str]:
    """The declared view, its modifiers, and the keyword that declares it ('' where none does)."""
    view, keyword = find_view(gather_labels(dataset))
    return view, read_modifiers(dataset), keyword


def read_modifiers(dataset: Dataset) -> tuple[ViewModifier, ...]:
    """Modifiers from all attributes, because a single one makes the view a special one; UNKNOWN for a code that is not in CID 4015."""
    nested = [item for view in read_items(dataset, "ViewCodeSequence") for item in read_items(view, "ViewModifierCodeSequence")]
    coded = [*nested, *read_items(dataset, "ViewModifierCodeSequence")]
    found = {_MODIFIERS.get(_code(item), ViewModifier.UNKNOWN) for item in coded}
    for keyword in ("ViewPosition", *_PROSE_KEYWORDS):
        found |= _parse(dataset, keyword, prose=keyword in _PROSE_KEYWORDS).modifiers
    return tuple(sorted(found))


def _read_view_codes(dataset: Dataset) -> Iterator[DeclaredLabel]:
    for item in read_items(dataset, "ViewCodeSequence"):
        word = _show_code(item)
        if word or read_text(item, "CodeMeaning"):
            yield DeclaredLabel(label="view", keyword="ViewCodeSequence", value=_VIEWS.get(_code(item), NOT_UNDERSTOOD), word=word)


def _read_side_terms(dataset: Dataset, keyword: str, name: str = "") -> Iterator[DeclaredLabel]:
    for term in read_terms(dataset, keyword):
        if term:
            yield DeclaredLabel(label="laterality", keyword=name or keyword, value=_TERMS.get(term, NOT_UNDERSTOOD), word=term)


def _read_frames(dataset: Dataset) -> Iterator[DeclaredLabel]:
    """Frame Laterality, in the data set and in its functional groups (PS3.3 C.7.6.16.2.8)."""
    yield from _read_side_terms(dataset, "FrameLaterality")
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in read_items(dataset, groups):
            for anatomy in read_items(group, "FrameAnatomySequence"):
                yield from _read_side_terms(anatomy, "FrameLaterality")
                yield from _read_anatomy(anatomy)


def _read_anatomy(dataset: Dataset) -> Iterator[DeclaredLabel]:
    """Anatomic Region Sequence, Primary Anatomic Structure Sequence and their modifiers (PS3.16 CID 4031, CID 244).

    Most codes say nothing of the side.
    """
    for name in ("AnatomicRegion", "PrimaryAnatomicStructure"):
        for region in read_items(dataset, f"{name}Sequence"):
            modifiers = read_items(region, f"{name}ModifierSequence")
            for keyword, item in ((f"{name}Sequence", region), *((f"{name}ModifierSequence", each) for each in modifiers)):
                side = _CODED_SIDES.get(_code(item))
                if side:
                    yield DeclaredLabel(label="laterality", keyword=keyword, value=side, word=_show_code(item))
                else:
                    yield from _read_meaning(item, keyword)


def _read_meaning(item: Dataset, keyword: str) -> Iterator[DeclaredLabel]:
    """A code that is not in the tables can still name the side in its meaning."""
    sides = read_text_labels(read_text(item, "CodeMeaning"), prose=True).sides
    if len(sides) == 1:
        ((side, word),) = sides.items()
        yield DeclaredLabel(label="laterality", keyword=keyword, value=side, word=word)


def _read_text(dataset: Dataset, keyword: str, coded: bool) -> Iterator[DeclaredLabel]:
    """The labels of a text. Free text with several views or sides describes a series, not an image, and says nothing."""
    found = _parse(dataset, keyword, prose=not coded)
    for label, words in (("view", found.views), ("laterality", found.sides)):
        if keyword == "BodyPartExamined" and label == "view":
            continue
        values = list(words)
        if not coded and NOT_UNDERSTOOD in values and len(values) == 2:
            values = [NOT_UNDERSTOOD]  # "CC exaggerated"
        if not coded and len(values) > 1:
            whole = {View.CC, View.MLO} if label == "view" else {Laterality.R, Laterality.L}
            values = [] if whole.issubset(values) else [NOT_UNDERSTOOD]
        for value in values:
            word = words.get(value, "")
            yield DeclaredLabel.model_validate({"label": label, "keyword": keyword, "value": value, "word": word})


def _read_orientation_text(dataset: Dataset) -> Iterator[DeclaredLabel]:
    """CBIS-DDSM has the view in Patient Orientation. The letters of directions are no sides."""
    terms = read_terms(dataset, "PatientOrientation")
    if len(terms) != 1 or len(terms[0]) < 2:
        return
    found = read_text_labels(terms[0], prose=True)
    for label, words in (("view", found.views), ("laterality", found.sides)):
        for value, word in words.items():
            yield DeclaredLabel.model_validate({"label": label, "keyword": "PatientOrientation", "value": value, "word": word})


def _read_orientation_side(dataset: Dataset, view: View) -> Iterator[DeclaredLabel]:
    orientation = read_terms(dataset, "PatientOrientation")
    found = find_orientation_side(orientation, view)
    if found:
        value = NOT_UNDERSTOOD if found.side is Laterality.UNKNOWN else found.side
        yield DeclaredLabel(label="laterality", keyword="PatientOrientation", value=value, word="\\".join(orientation))


def _parse(dataset: Dataset, keyword: str, prose: bool) -> TextLabels:
    return read_text_labels(read_text(dataset, keyword), prose)


def _code(item: Dataset) -> str:
    """Code value of an item; '' for an unknown coding scheme."""
    if read_term(item, "CodingSchemeDesignator") not in READABLE_SCHEMES:
        return ""
    return _code_value(item)


def _code_value(item: Dataset) -> str:
    return read_term(item, "CodeValue") or read_term(item, "LongCodeValue") or read_term(item, "URNCodeValue")


def _show_code(item: Dataset) -> str:
    value, scheme = _code_value(item), read_term(item, "CodingSchemeDesignator")
    return f"{value} {scheme}".strip()


def _read_names(dataset: Dataset) -> frozenset[str]:
    texts = " ".join(read_term(dataset, keyword) for keyword in _NAMING_KEYWORDS)
    return frozenset(re.findall(r"\w+", texts))


def _is_harmless(word: str, names: frozenset[str]) -> bool:
    """Short codes and single words; nothing that an identifying attribute of the header has too, single letters excepted."""
    if not re.fullmatch(r"[\w.\-]{1,24}( [\w.\-]{1,16})?", word):
        return False
    return not any(len(part) > 1 and part in names for part in re.findall(r"\w+", word))
