"""The TOML file of a site's destinations: [[destination]], [[rule]], [[webhook]] and [[source]]; errors name line and key."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from service.destinations.peers import SECRETS, Destination, Rule, Source, Webhook, find_conflicts
from service.destinations.toml_lines import Place, line_of, locate
from service.errors import DestinationsInvalid

TABLES = {"destination": "destinations", "rule": "rules", "webhook": "webhooks", "source": "sources"}
"""Name of a table in the file > name of the setting that it fills."""

_PATHS = ("ca", "cert", "key")

Entry = TypeVar("Entry", bound=BaseModel)


@dataclass(frozen=True)
class DestinationsFile:
    """The contents of the file."""

    destinations: tuple[Destination, ...]
    rules: tuple[Rule, ...]
    webhooks: tuple[Webhook, ...]
    sources: tuple[Source, ...] = ()


def read_destinations(path: Path) -> DestinationsFile:
    """Read and check a file of destinations, rules, webhooks and sources.

    Paths in the file, also those of secrets, are relative to its folder.

    Raises
    ------
    DestinationsInvalid
        The file cannot be read, is no TOML, or has wrong keys or values.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise DestinationsInvalid(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DestinationsInvalid(f"{path}: is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise DestinationsInvalid(_syntax(path, str(error))) from error
    return _Reader(path, document, locate(text)).read()


class _Reader:
    """Reads one document and collects its faults."""

    def __init__(self, path: Path, document: dict[str, Any], lines: dict[Place, int]) -> None:
        self.path, self.document, self.lines = path, document, lines
        self.faults: list[tuple[int, str]] = []

    def read(self) -> DestinationsFile:
        for key in self.document.keys() - TABLES.keys():
            self._report((key,), f"{key}: {_unknown(key, TABLES)}")
        content = DestinationsFile(
            self._entries("destination", Destination),
            self._entries("rule", Rule),
            self._entries("webhook", Webhook),
            self._entries("source", Source),
        )
        if not self.faults:
            of_setting = {setting: table for table, setting in TABLES.items()}
            for (setting, *rest), what in find_conflicts(content.destinations, content.rules, content.webhooks):
                place: Place = (of_setting[str(setting)], *rest)
                self._report(place, f"{self._name(place)}: {what}")
        if self.faults:
            raise DestinationsInvalid("\n".join(f"{self.path}:{line}: {what}" for line, what in sorted(self.faults)))
        return content

    def _entries(self, table: str, kind: type[Entry]) -> tuple[Entry, ...]:
        items = self.document.get(table, [])
        if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
            self._report((table,), f"{table}: write one table for each, [[{table}]]")
            return ()
        found = []
        for index, item in enumerate(items):
            place: Place = (table, index)
            item = self._complete(item, place)
            try:
                found.append(kind.model_validate(item))
            except ValidationError as error:
                for each in error.errors(include_url=False, include_context=False):
                    where: Place = (*place, *each["loc"])
                    self._report(where, f"{self._name(where)}: {_explain(each, kind)}")
        return tuple(found)

    def _complete(self, values: dict[str, Any], place: Place) -> dict[str, Any]:
        """Read the secrets from their files (`password_file`), and make paths absolute."""
        complete: dict[str, Any] = {}
        for key, value in values.items():
            secret = key.removesuffix("_file")
            if isinstance(value, dict):
                complete[key] = self._complete(value, (*place, key))
            elif key.endswith("_file") and secret in SECRETS and isinstance(value, str):
                if secret in values:
                    self._report((*place, key), f"{self._name((*place, key))}: cannot be combined with {secret}: write one of them")
                complete[secret] = self._read_secret(self._absolute(value), (*place, key))
            elif key in _PATHS and isinstance(value, str):
                complete[key] = str(self._absolute(value))
            else:
                complete[key] = value
        return complete

    def _read_secret(self, path: Path, place: Place) -> str:
        try:
            secret = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
            self._report(place, f"{self._name(place)}: {path} cannot be read ({reason})")
            return ""
        if not secret:
            self._report(place, f"{self._name(place)}: {path} is empty")
        return secret

    def _absolute(self, path: str) -> Path:
        return (self.path.absolute().parent / Path(path).expanduser()).resolve()

    def _name(self, place: Place) -> str:
        """``destination "pacs", corrections.mode``, or its number where it has no name."""
        table, index, *keys = place
        name = self.document[str(table)][index].get("name")
        shown = f'"{name}"' if isinstance(name, str) else f"{int(index) + 1}"
        return f"{table} {shown}" + (f", {'.'.join(map(str, keys))}" if keys else "")

    def _report(self, place: Place, fault: str) -> None:
        self.faults.append((line_of(place, self.lines), fault))


def _syntax(path: Path, message: str) -> str:
    place = re.search(r" \(at line (\d+), column (\d+)\)", message)
    if place is None:
        return f"{path}: {message}"
    return f"{path}:{place[1]}: {message.replace(place[0], '')} (column {place[2]})"


def _explain(error: Any, kind: type[BaseModel]) -> str:
    """An error of pydantic as a sentence; it never quotes the value, which may be a password."""
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        return _unknown(str(error["loc"][-1]), _keys_at(kind, error["loc"][:-1]))
    message: str = error["msg"]
    return message.removeprefix("Value error, ").replace("Input should be", "must be")


def _keys_at(kind: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The known keys at a place inside a table."""
    for step in path:
        field = kind.model_fields.get(str(step))
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        inner = next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)
        if inner is None:
            return []
        kind = inner
    secrets = [f"{name}_file" for name in SECRETS if name in kind.model_fields]
    return [field.alias or name for name, field in kind.model_fields.items()] + secrets


def _unknown(key: str, known: Any) -> str:
    close = get_close_matches(key, list(known), n=1)
    return f"unknown key (did you mean {close[0]}?)" if close else "unknown key"
