"""Delimiter lines of multipart bodies, in whatever chunks a body arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.http.multipart_delimiters import MOST_PREAMBLE_BYTES, DelimiterReader, PreambleTooLong


def read(body: bytes, chunk_bytes: int) -> bytes:
    reader = DelimiterReader(b"b1")
    found = b"".join(reader.feed(body[start : start + chunk_bytes]) for start in range(0, len(body), chunk_bytes))
    return (found + reader.finish()).removeprefix(b"\r\n")


PLAIN = b"--b1\r\nX: y\r\n\r\none\r\n--b1\r\n\r\ntwo\r\n--b1--\r\n"


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        b"\r\n" + PLAIN,
        b"a MIME message\r\n" + PLAIN,
        b"a MIME message\r\n--b1x is no delimiter\r\n--b\r\n" + PLAIN,
        PLAIN.replace(b"--b1\r\n", b"--b1  \r\n"),
        PLAIN.replace(b"--b1\r\n", b"--b1\t \r\n"),
        b"text\r\n" + PLAIN.replace(b"--b1\r\n", b"--b1 \r\n"),
    ],
)
def test_preamble_and_blanks_are_taken_away(body: bytes, chunk_bytes: int) -> None:
    assert read(body, chunk_bytes) == PLAIN


@given(
    st.lists(st.sampled_from([b"\r\n", b"--", b"b1", b" ", b"--b", b"\r\n--b1x", b"x", b"\r", b"\r\n--"]), max_size=30),
    st.integers(1, 20),
)
def test_what_is_no_delimiter_stays_as_it_is(pieces: list[bytes], chunk_bytes: int) -> None:
    data = b"".join(pieces).replace(b"--b1", b"--bX")
    body = b"--b1\r\n\r\n" + data + b"\r\n--b1--"
    assert read(body, chunk_bytes) == body


def test_what_resembles_a_delimiter_is_data() -> None:
    body = b"--b1\r\n\r\n\r\n--b1 x\r\n--b12\r\n--b1" + b" " * 300 + b"\r\n--b1--"
    assert read(body, 5) == body


def test_a_body_without_a_delimiter_has_nothing_and_may_not_be_long() -> None:
    assert read(b"no delimiter in here", 4) == b""
    with pytest.raises(PreambleTooLong):
        read(b"x" * (MOST_PREAMBLE_BYTES + 100), 1000)
