"""Words for views and sides in the languages of the large markets."""

from __future__ import annotations

import pytest

from models.label_words import NOT_UNDERSTOOD, read_text_labels


@pytest.mark.parametrize(
    ("text", "view", "side"),
    [
        ("CC rechts", "CC", "R"),
        ("MLO links", "MLO", "L"),
        ("Mammographie li. mediolateral schräg", "MLO", "L"),
        ("MLO droite", "MLO", "R"),
        ("Sein gauche cranio-caudal", "CC", "L"),
        ("CC D", "CC", "R"),
        ("SEIN G", None, "L"),
        ("seno izquierdo craneocaudal", "CC", "L"),
        ("mama derecha oblicua mediolateral", "MLO", "R"),
        ("mama direita MLO", "MLO", "R"),
        ("Crânio-caudal esquerda", "CC", "L"),
        ("MLO E", "MLO", "L"),
        ("CC DX", "CC", "R"),
        ("Mammella sx", None, "L"),
        ("Cranio Caudale Sinistra", "CC", "L"),
        ("borst links mediolateraal oblique", "MLO", "L"),
        ("Pierś lewa MLO skośna", "MLO", "L"),
        ("prawa CC", "CC", "R"),
        ("SAĞ MLO", "MLO", "R"),
        ("sol meme kraniyokaudal", "CC", "L"),
        ("右 MLO", "MLO", "R"),
        ("左 内外斜位", "MLO", "L"),
        ("左乳 头足位", "CC", "L"),
        ("우측 CC", "CC", "R"),
        ("левая молочная железа CC", "CC", "L"),
        ("ＲＭＬＯ", "MLO", "R"),
        ("RightMLO", "MLO", "R"),
        ("MLO_L", "MLO", "L"),
        ("CCD", "CC", "R"),
        ("LCCID", "CC", "L"),
        ("Medio-lateral left", "ML", "L"),
        ("latero-medial oblique R", "LMO", "R"),
        ("caudo-cranial", "FB", None),
        ("Exaggerated CC left", NOT_UNDERSTOOD, "L"),
        ("XCC", NOT_UNDERSTOOD, None),
        ("Breast specimen", NOT_UNDERSTOOD, None),
        ("profil droit", NOT_UNDERSTOOD, "R"),
        ("DX MAMMO", None, NOT_UNDERSTOOD),
        ("iohexol 100 ml", None, None),
        ("iso certified", None, None),
        ("l'image d'un dépistage", None, None),
        ("Mammo screening", None, None),
        ("", None, None),
    ],
)
def test_a_text_names_view_and_side(text: str, view: str | None, side: str | None) -> None:
    found = read_text_labels(text, prose=True)
    assert (set(found.views), set(found.sides)) == ({view} - {None}, {side} - {None})


@pytest.mark.parametrize("word", ["XCC", "SPECIMEN", "LATERAL", "OBLIQUE", "PA", "FOO", "CCX"])
def test_in_a_coded_string_every_other_word_is_not_understood(word: str) -> None:
    assert NOT_UNDERSTOOD in read_text_labels(word, prose=False).views


@pytest.mark.parametrize("text", ["FOO", "CCX", "PA", "Smith", "routine 3D views", "TE v2"])
def test_in_free_text_other_words_say_nothing(text: str) -> None:
    found = read_text_labels(text, prose=True)
    assert not found.views and not found.sides
