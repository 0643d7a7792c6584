"""Delimiter lines of a multipart body in the one form that the parser reads (RFC 2046 section 5.1.1)."""

from __future__ import annotations

MOST_PREAMBLE_BYTES = 1 << 16
"""Text before the first delimiter line; mail programs and gateways write a sentence there."""
MOST_PADDING_BYTES = 256
"""Blanks behind a delimiter (transport padding)."""

_BLANKS = b" \t"
_LINE_END = b"\r\n"


class PreambleTooLong(Exception):
    """No delimiter line at the beginning of the body."""


class DelimiterReader:
    """Takes a body in chunks, and returns the same without the preamble and without blanks behind delimiters.

    A delimiter is CRLF, two hyphens and the boundary, followed by blanks and CRLF, or by two hyphens; what only resembles one is data.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = _LINE_END + b"--" + boundary
        # The first delimiter line may begin the body, without CRLF before it.
        self._held = _LINE_END
        self._begun = False
        self._preamble_bytes = 0

    def feed(self, chunk: bytes) -> bytes:
        """The part of the body that is certain after this chunk.

        Raises
        ------
        PreambleTooLong
        """
        self._held += chunk
        certain: list[bytes] = []
        start = 0
        while (at := self._held.find(self._delimiter, start)) >= 0:
            behind = at + len(self._delimiter)
            after = self._held[behind : behind + MOST_PADDING_BYTES + 2]
            end = after.lstrip(_BLANKS)
            if len(end) < 2 and len(after) < MOST_PADDING_BYTES + 2:
                break  # the next chunk says what follows
            if is_line := end[:2] == _LINE_END or after[:2] == b"--":
                self._pass_on(start if self._begun else at, behind, certain, begun=True)
            else:
                self._pass_on(start, behind, certain)
            start = behind + (len(after) - len(end) if is_line and end[:2] == _LINE_END else 0)
        else:
            at = max(start, len(self._held) - len(self._delimiter) + 1)  # the end may be the beginning of a delimiter
        self._pass_on(start, at, certain)
        self._held = self._held[at:]
        return b"".join(certain)

    def finish(self) -> bytes:
        """What was held back at the end of the body."""
        held, self._held = self._held, b""
        return held if self._begun else b""

    def _pass_on(self, start: int, end: int, certain: list[bytes], begun: bool = False) -> None:
        self._begun = self._begun or begun
        if self._begun:
            certain.append(self._held[start:end])
            return
        self._preamble_bytes += end - start
        if self._preamble_bytes > MOST_PREAMBLE_BYTES:
            raise PreambleTooLong
