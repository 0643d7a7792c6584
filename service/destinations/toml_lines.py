"""The line number of each key of a TOML document, which the parser of the standard library does not give."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

Place = tuple[str | int, ...]
"""A path in the document: keys, and indexes in arrays of tables."""

_QUOTES = ('"""', "'''", '"', "'")


def locate(text: str) -> dict[Place, int]:
    """Map each table, array item and key of a valid document to its line, from 1. An inline table counts as one value."""
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
    """Each table header and each key with its value, with the line of its start; without comments."""
    line, depth, start, statement, position = 1, 0, 1, "", 0
    while position < len(text):
        rest = text[position : position + 3]
        quote = next((each for each in _QUOTES if rest.startswith(each)), None)
        if quote:
            end = _end_of_string(text, position, quote)
            piece = text[position:end]
            statement, position = statement + piece, end
            line += piece.count("\n")
            continue
        character = text[position]
        if character == "#":
            position = (text.find("\n", position) + 1 or len(text) + 1) - 1
            continue
        # The brackets of a table header balance like those of an array.
        depth += (character in "[{") - (character in "]}")
        if character == "\n":
            line += 1
            if depth == 0:
                if statement.strip():
                    yield start, statement.strip()
                statement, start = "", line
        elif statement or not character.isspace():
            start = start if statement else line
            statement += character
        position += 1
    if statement.strip():
        yield start, statement.strip()


def _end_of_string(text: str, start: int, quote: str) -> int:
    """Position after the string that starts at `start`."""
    position = start + len(quote)
    while position < len(text):
        if text[position] == "\\" and quote.startswith('"'):
            position += 2
        elif text.startswith(quote, position):
            position += len(quote)
            # Up to two quotation marks may precede the three closing ones.
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
    """Split ``a."b.c".d`` into its keys."""
    keys: list[str] = []
    value: object = tomllib.loads(f"{dotted.strip()} = 0")
    while isinstance(value, dict):
        ((key, value),) = value.items()
        keys.append(key)
    return tuple(keys)


def _resolve(keys: tuple[str, ...], counts: dict[Place, int], new_item: bool = False) -> Place:
    """Insert the indexes: a table header refers to the last item of each array of tables that it names."""
    place: Place = ()
    for depth, key in enumerate(keys, 1):
        place = (*place, key)
        if new_item and depth == len(keys):
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place
