"""If-None-Match as RFC 9110 has it."""

from __future__ import annotations

import pytest

from service.api.http.conditional import is_held, make_tag

TAG = make_tag(b"an answer")


@pytest.mark.parametrize("held", [TAG, f"W/{TAG}", f'"other", {TAG}', f'"other",W/{TAG} , "more"', "*", " * "])
def test_who_holds_the_answer_need_not_get_it(held: str) -> None:
    assert is_held(TAG, held)


@pytest.mark.parametrize("held", [None, "", '"other"', TAG.strip('"'), f'"{TAG[1:-2]}"', "W/*", '"*"', f'"other {TAG[1:]}'])
def test_who_holds_something_else_gets_it(held: str | None) -> None:
    assert not is_held(TAG, held)


def test_equal_answers_have_equal_tags() -> None:
    assert make_tag(b"an answer") == TAG != make_tag(b"another")
