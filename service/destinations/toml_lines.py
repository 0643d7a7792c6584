"""On which line of a TOML document each key stands: the standard library's parser does not say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

Place = tuple[str | int, ...]
"""A way into the document: keys, and positions in arrays of tables."""

_QUOTES = ('"""', "'''", '"', "'")


def locate(text: str) -> dict[Place, int]:
    """Map each table, array item and key of a valid document to its line, counted from 1. Inline tables count as one value."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    here: Place = ()
    for line, statement in _statements(text):
        if statement.startswith("[["):
            here = _resolve(_keys(statement[2 : statement.rindex("]]")]), counts, new_item=True)
        elif statement.startswith("["):
            here = _resolve(_keys(statement[1 : statement.rindex("]")]), counts)
        else:
            lines.setdefault((*here, *_keys(statement[: _end_of_key(statement)])), line)
            continue
        lines.setdefault(here, line)
    return lines


def line_of(place: Place, lines: dict[Place, int]) -> int:
    """The line of a place, or of the closest one around it; 1 where there is none."""
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return 1


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each header and each key with its value, with the line on which it begins; comments are left away."""
    line, depth, start, said, position = 1, 0, 1, "", 0
    while position < len(text):
        rest = text[position : position + 3]
        quote = next((each for each in _QUOTES if rest.startswith(each)), None)
        if quote:
            end = _end_of_string(text, position, quote)
            piece = text[position:end]
            said, position = said + piece, end
            line += piece.count("\n")
            continue
        character = text[position]
        if character == "#":
            position = (text.find("\n", position) + 1 or len(text) + 1) - 1
            continue
        # The brackets of a table's header balance like those of an array.
        depth += (character in "[{") - (character in "]}")
        if character == "\n":
            line += 1
            if depth == 0:
                if said.strip():
                    yield start, said.strip()
                said, start = "", line
        elif said or not character.isspace():
            start = start if said else line
            said += character
        position += 1
    if said.strip():
        yield start, said.strip()


def _end_of_string(text: str, start: int, quote: str) -> int:
    """Position after the string that begins at `start`."""
    position = start + len(quote)
    while position < len(text):
        if text[position] == "\\" and quote.startswith('"'):
            position += 2
        elif text.startswith(quote, position):
            position += len(quote)
            # Up to two quotation marks may stand right before the closing three.
            while len(quote) == 3 and text[position : position + 1] == quote[0]:
                position += 1
            return position
        else:
            position += 1
    return len(text)


def _end_of_key(statement: str) -> int:
    """Position of the equals sign."""
    position = 0
    while statement[position] != "=":
        position = _end_of_string(statement, position, statement[position]) if statement[position] in "\"'" else position + 1
    return position


def _keys(dotted: str) -> tuple[str, ...]:
    """Take ``a."b.c".d`` apart."""
    keys: list[str] = []
    value: object = tomllib.loads(f"{dotted.strip()} = 0")
    while isinstance(value, dict):
        ((key, value),) = value.items()
        keys.append(key)
    return tuple(keys)


def _resolve(keys: tuple[str, ...], counts: dict[Place, int], new_item: bool = False) -> Place:
    """Put the positions in: a header speaks of the last item of each array of tables that it names."""
    place: Place = ()
    for depth, key in enumerate(keys, 1):
        place = (*place, key)
        if new_item and depth == len(keys):
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place
