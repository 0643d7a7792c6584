"""docker-compose.yml as Docker Compose reads it, as far as these files need it: merge keys, ${NAME:-default}, !reset, overrides."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
OURS = "mammotriage:"
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class Reset:
    """Represents !reset in an override: the value below is taken away."""


class ComposeLoader(yaml.SafeLoader):
    """YAML with Compose's own tag."""


ComposeLoader.add_constructor("!reset", lambda *_: Reset())


def read_compose(*names: str, variables: dict[str, str] | None = None) -> dict[str, Any]:
    """One file, or several laid over one another, with variables filled in."""
    merged: dict[str, Any] = {}
    for name in names:
        merged = _lay_over(merged, yaml.load((ROOT / name).read_text(), ComposeLoader))
    filled = _fill(merged, variables or {})
    assert isinstance(filled, dict)
    return filled


def read_env_file(name: str) -> dict[str, str]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def our_services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose["services"].items() if service["image"].startswith(OURS)}


def _lay_over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        merged = dict(below)
        for key, value in above.items():
            if isinstance(value, Reset):
                merged.pop(key, None)
            else:
                merged[key] = _lay_over(merged.get(key), value)
        return merged
    return above


def _fill(value: Any, variables: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, variables) for each in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: variables.get(match[1], match[2] or ""), value)
    return value
