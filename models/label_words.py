"""The words and abbreviations in which texts name a view, a side or a modifier, in the languages of the large markets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from models.vocabulary import Laterality, View, ViewModifier

NOT_UNDERSTOOD = "NOT_UNDERSTOOD"
"""What a word says that names a view or a side which the service does not know."""

SIDE_WORDS: dict[str, Laterality] = {
    **dict.fromkeys(("R", "RT", "RIGHT", "RECHTS", "RECHTE", "RECHTER", "RECHTES", "DROIT", "DROITE", "DROITS"), Laterality.R),
    **dict.fromkeys(("DERECHA", "DERECHO", "DCHA", "DCHO", "DIREITA", "DIREITO", "DESTRA", "DESTRO"), Laterality.R),
    **dict.fromkeys(("PRAWA", "PRAWY", "PRAWE", "PRAWEJ", "PRAWO"), Laterality.R),
    **dict.fromkeys(("L", "LT", "LEFT", "LINKS", "LINKE", "LINKER", "LINKES", "GAUCHE", "IZQUIERDA", "IZQUIERDO"), Laterality.L),
    **dict.fromkeys(("IZQ", "IZDA", "IZDO", "ESQUERDA", "ESQUERDO", "ESQ", "SINISTRA", "SINISTRO"), Laterality.L),
    **dict.fromkeys(("LEWA", "LEWY", "LEWE", "LEWEJ", "LEWO"), Laterality.L),
}
"""Words that name a side wherever they are; English, German, Dutch, French, Spanish, Portuguese, Italian and Polish."""

_AMBIGUOUS_SIDES: dict[str, Laterality] = {
    **dict.fromkeys(("DX", "RE", "DER", "DIR", "DRT", "SAG", "PR"), Laterality.R),
    **dict.fromkeys(("SX", "SN", "SIN", "LI", "LK", "SOL", "LW"), Laterality.L),
}
"""Abbreviations that also mean something else (DX: diagnosis, SAG: sagittal, and right in Turkish). They name a side beside a view or a
breast; elsewhere they are not understood."""
_LETTERS: dict[str, Laterality] = {"D": Laterality.R, "G": Laterality.L, "E": Laterality.L, "I": Laterality.L}
"""French, Portuguese and Spanish letters: a side only where the text has nothing but a view, a breast and the letter."""
_BREASTS = frozenset(
    "BREAST BREASTS MAMMA MAMMAE MAMA MAMAS BRUST SEIN SEINS SENO SENI MAMMELLA BORST PIERS PIERSI MEME".split()  # noqa: SIM905
)
_IDEOGRAMS: tuple[tuple[str, str, str], ...] = (
    # label, written as, meaning; Japanese, Chinese, Korean and Russian
    ("laterality", "右", "R"),
    ("laterality", "左", "L"),
    ("laterality", "우측", "R"),
    ("laterality", "좌측", "L"),
    ("laterality", "ПРАВ", "R"),
    ("laterality", "ЛЕВ", "L"),
    ("view", "内外斜位", "MLO"),
    ("view", "內外斜位", "MLO"),
    ("view", "頭尾", "CC"),
    ("view", "头尾", "CC"),
    ("view", "头足位", "CC"),
    ("view", "頭足位", "CC"),
    ("view", "轴位", "CC"),
    ("view", "側位", NOT_UNDERSTOOD),
    ("view", "侧位", NOT_UNDERSTOOD),
)

_OBLIQUE = r"(?:OBL\w*|SCHRAG\w*|SKOSN\w*|SCHUIN\w*|EGIK|SCHRAEG\w*)"
_GAP = r"[\W_]*"
_PHRASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (rf"\bE?X+AGG?E\w*{_GAP}(?:[CK]RANI?E?O?L?\w*{_GAP}[CK]AUD\w*|CC\b)?", " XCC "),
        (rf"\b[CK]R[AE]NI?[YEO]*\w*{_GAP}[CK]AUD\w*", " CC "),
        (rf"\b[CK]AUD[AO]?\w*?{_GAP}[CK]RANI\w*", " CAUDOCRANIAL "),
        (rf"\bMEDI\w*?{_GAP}LATERA+L\w*{_GAP}{_OBLIQUE}", " MLO "),
        (rf"\b{_OBLIQUE}{_GAP}(?:MEDI\w*?{_GAP}LATERA+L\w*)", " MLO "),
        (rf"\bLATERO?{_GAP}MEDIAL\w*{_GAP}{_OBLIQUE}", " LMO "),
        (rf"\b{_OBLIQUE}{_GAP}LATERO?{_GAP}MEDIAL\w*", " LMO "),
        (rf"\bMEDIO{_GAP}LATERA+L\w*", " MEDIOLATERAL "),
        (rf"\bLATERO{_GAP}MEDIAL\w*", " LATEROMEDIAL "),
        (r"\bIMPLANTS?[\W_]*(?:DISPLACED|DISPLACEMENT)", " EKLUND "),
        (r"\bAXILLARY[\W_]*TAIL", " AXILLARYTAIL "),
    )
)
_LONG_VIEWS = {"MEDIOLATERAL": View.ML, "LATEROMEDIAL": View.LM, "CAUDOCRANIAL": View.FB}
_UNKNOWN_VIEWS = re.compile(
    r"XCC|SPECIMEN\w*|LATERAL|LATERALE?S?|LATERO|SEITLICH|PROFILE?|PROFIL\w*|FACE|CLEOPATRA|CLEO|AXILLARY|AXILLA|AXILA|ASCELLA|AISSELLE"
    rf"|PREPARAT|BOCZN\w*|ZIJDELINGS|{_OBLIQUE}"
)
"""Words for views that the service does not know, or that do not say which one (French `face` and `profil`, a bare `oblique`)."""

_ABBREVIATIONS = {each.value: each for each in ViewModifier if each is not ViewModifier.UNKNOWN}
_ABBREVIATIONS |= {"MAG": ViewModifier.M, "SPOT": ViewModifier.S}
_PROSE_MODIFIERS = {
    **dict.fromkeys(("MAG", "MAGNIFICATION", "MAGNIFIED"), ViewModifier.M),
    "SPOT": ViewModifier.S,
    "EKLUND": ViewModifier.ID,
    "CLEAVAGE": ViewModifier.CV,
    "AXILLARYTAIL": ViewModifier.AT,
    **dict.fromkeys(("TANGENTIAL", "TANGENTIELLE"), ViewModifier.TAN),
    **dict.fromkeys(("ROLLED", "PUSHBACK"), ViewModifier.UNKNOWN),
}
_SUFFIX = "|".join(sorted(_ABBREVIATIONS, key=len, reverse=True))
_ACR_LABEL = re.compile(rf"(?P<prefix>[MS])?(?P<view>XCCL|XCCM|CC|MLO|LMO|ML|LM|FB|SIO|ISO)(?P<suffixes>({_SUFFIX})*)")
"""Labelling codes of the ACR: a modifier before or after the view, as in ``MCC``, ``CCID``, ``SMLO``; a side may precede them."""
_GLUED = re.compile(r"(?P<before>RIGHT|LEFT|RT|LT|[RLDGEI])?(?P<view>XCCL|XCCM|XCC|CC|MLO)(?P<after>RIGHT|LEFT|RT|LT|[RLDGEI])?")
"""A view and a side in one word, as in ``CCD`` (French) or ``RIGHTMLO``."""
_GLUED_BREAST = re.compile(r"(?P<before>RIGHT|LEFT|RT|LT|[RL])?BREAST(?P<after>RIGHT|LEFT|RT|LT|[RL])?")

_PROSE_VIEWS = frozenset({View.CC, View.MLO, View.ML, View.LM, View.LMO, View.XCCL, View.XCCM})
"""Views that are read in free text; FB, SIO and ISO have other meanings there."""


class TextLabels(NamedTuple):
    """The labels in the text of one attribute, each with its word; the value NOT_UNDERSTOOD for a word that names an unknown label."""

    views: Mapping[str, str]
    sides: Mapping[str, str]
    modifiers: frozenset[ViewModifier]


def read_text_labels(text: str, prose: bool, modifiers_allowed: bool = True) -> TextLabels:
    """Read a text word by word.

    Parameters
    ----------
    prose
        Free text, in which a word that is no label means nothing. In a coded string each word must be a label.
    modifiers_allowed
        A coded string may have abbreviated modifiers (View Position).
    """
    views: dict[str, str] = {}
    sides: dict[str, str] = {}
    modifiers: set[ViewModifier] = set()
    words = split_words(text)
    ambiguous: list[str] = []
    for word in words:
        label = _parse_label(word)
        long_view = _LONG_VIEWS.get(word)
        if label and (not prose or label[1] in _PROSE_VIEWS):
            if label[0] is not Laterality.UNKNOWN:
                sides.setdefault(label[0], word)
            views.setdefault(label[1], word)
            modifiers |= label[2]
        elif long_view:
            views.setdefault(long_view, word)
        elif word in SIDE_WORDS:
            sides.setdefault(SIDE_WORDS[word], word)
        elif word in _AMBIGUOUS_SIDES or word in _LETTERS:
            ambiguous.append(word)
        elif word in _PROSE_MODIFIERS:
            modifiers.add(_PROSE_MODIFIERS[word])
        elif not prose and modifiers_allowed and word in _ABBREVIATIONS:
            modifiers.add(_ABBREVIATIONS[word])
        elif glued := _GLUED.fullmatch(word):
            _read_glued(glued, word, views, sides)
        elif (glued := _GLUED_BREAST.fullmatch(word)) and word != "BREAST":
            _read_glued_side(glued, word, sides)
        elif re.fullmatch(_OBLIQUE, word) and {View.MLO, View.LMO}.intersection(_named_views(words)):
            continue  # the label says which oblique view it is
        elif _UNKNOWN_VIEWS.fullmatch(word) or (not prose and word not in _BREASTS and not word.isdigit()):
            views.setdefault(NOT_UNDERSTOOD, word)
    for label_name, written, meaning in _IDEOGRAMS:
        if written in text.upper():
            (sides if label_name == "laterality" else views).setdefault(meaning, written)
    for view in (View.ML, View.LM):
        if prose and not sides and views.get(view) == view.value:  # millilitres
            del views[view]
    _add_ambiguous(ambiguous, words, views, sides, prose)
    return TextLabels(views, sides, frozenset(modifiers))


def _named_views(words: Iterable[str]) -> set[View]:
    return {label[1] for word in words if (label := _parse_label(word))}


def split_words(text: str) -> tuple[str, ...]:
    """Upper-case words without accents; phrases such as ``cranio-caudal`` are replaced by their abbreviation."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    text = re.sub(r"\b[dlDL]['\N{RIGHT SINGLE QUOTATION MARK}]", " ", text)
    folded = unicodedata.normalize("NFKD", text.translate(str.maketrans("łŁıøØ", "lLioO")))
    plain = "".join(each for each in folded if not unicodedata.combining(each)).upper()
    for pattern, word in _PHRASES:
        plain = pattern.sub(word, plain)
    return tuple(re.findall(r"[A-Z0-9]+", plain))


def _read_glued(found: re.Match[str], word: str, views: dict[str, str], sides: dict[str, str]) -> None:
    views.setdefault(NOT_UNDERSTOOD if found["view"] == "XCC" else View(found["view"]), word)
    _read_glued_side(found, word, sides)


def _read_glued_side(found: re.Match[str], word: str, sides: dict[str, str]) -> None:
    for each in (found["before"], found["after"]):
        if each:
            sides.setdefault((SIDE_WORDS | _LETTERS)[each], word)


def _add_ambiguous(ambiguous: Iterable[str], words: Iterable[str], views: Mapping[str, str], sides: dict[str, str], prose: bool) -> None:
    """Abbreviations of a side that mean something only beside a view or a breast."""
    known = {*views.values(), *_BREASTS, *_LONG_VIEWS}
    in_context = any(word in known for word in words)
    only_labels = all(word in known or word in _LETTERS or word in _AMBIGUOUS_SIDES or word.isdigit() for word in words)
    for word in ambiguous:
        if word in _LETTERS:
            if in_context and only_labels:
                sides.setdefault(_LETTERS[word], word)
            elif not prose:
                sides.setdefault(NOT_UNDERSTOOD, word)
        else:
            sides.setdefault(_AMBIGUOUS_SIDES[word] if in_context else NOT_UNDERSTOOD, word)


def _parse_label(word: str) -> tuple[Laterality, View, set[ViewModifier]] | None:
    """Split a label such as ``RMLOID``. The reading without a side comes first: LM and LMO are views and no left side."""
    for side, rest in ((Laterality.UNKNOWN, word), ({"R": Laterality.R, "L": Laterality.L}.get(word[:1]), word[1:])):
        match = _ACR_LABEL.fullmatch(rest)
        if match and side:
            marks = [match["prefix"] or "", *re.findall(_SUFFIX, match["suffixes"])]
            return side, View(match["view"]), {_ABBREVIATIONS[mark] for mark in marks if mark}
    return None
