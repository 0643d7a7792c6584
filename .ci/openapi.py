"""Writes the API's OpenAPI document to a file, so that the pages' JavaScript is checked against the fields that the API really has."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from service.api.app import create_app
from service.jobs.context import open_context
from service.settings import Settings


def main(target: Path) -> None:
    """Describe the application; it is built over an empty folder, and nothing is started."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(open_context(Settings(data_dir=Path(folder))), dict)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(app.openapi()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
