"""Lists functions, classes, methods and variables that nothing uses, as vulture finds them; exits with 1 where there are any.

Two readings: everything, and the source without its tests, because a function that only a test calls is unused too. vulture knows no
framework, so the names that a framework calls or reads are listed here. Extend a list only for a real caller outside this repository.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from pydicom.datadict import tag_for_keyword
from vulture import Vulture
from vulture.core import Item

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ("models", "service", "training")
EVERYTHING = (*SOURCE, "benchmarks", "tests", ".ci")

DECORATORS = [
    "@*.get", "@*.post", "@*.put", "@*.patch", "@*.delete", "@_route",  # FastAPI
    "@*.command", "@*.callback",  # typer
    "@field_validator*", "@model_validator*",  # pydantic
    "@pytest.fixture*",
    "@schemathesis.serializer*",
    "@*.connect",  # celery's signals
]  # fmt: skip
"""What they decorate is called by the framework behind them."""

FRAMEWORK_NAMES = {
    "alembic": {"down_revision", "branch_labels", "depends_on", "downgrade"},
    "http.server": {"do_GET", "do_POST", "do_PUT", "log_message", "protocol_version", "close_connection", "daemon_threads"},
    "inspect and typer": {"__signature__", "__annotations__"},
    "logging, requests, uvicorn": {"stack_info", "trust_env", "should_exit"},
    "onnxruntime": {"get_next", "intra_op_num_threads", "log_severity_level"},
    "pydantic": {"model_config", "settings_customise_sources", "settings_cls", "env_settings", "dotenv_settings", "file_secret_settings"},
    "pydicom": {"handled_encodings", "is_undefined_length", "reading_validation_mode"},
    "pynetdicom": {"connection_timeout", "maximum_associations", "maximum_pdu_size", "require_called_aet", "require_calling_aet"},
    "sqlalchemy": {"cache_ok", "impl", "isolation_level", "process_bind_param", "process_result_value"},
    "starlette's request.state, read as a mapping": {"audit_detail", "audit_subject"},
    "torch": {"forward"},
    "getattr over a table of names": {"heatmap_npz"},
}  # fmt: skip

FILLED_BY_VALUE = {"BaseModel", "BaseSettings", "Enum", "IntEnum", "StrEnum"}
"""Classes whose fields and members come from, or go to, JSON, the environment or a database, and need not be named in code."""


def main() -> int:
    """Print one line for each finding."""
    filled = _fields_filled_by_value([ROOT / folder for folder in EVERYTHING])
    everything = _read(EVERYTHING, filled)
    named = {(item.filename, item.first_lineno) for item in everything}
    only_tested = [
        item
        for item in _read((*SOURCE, "benchmarks"), filled)
        if item.typ in {"class", "function", "method"} and (item.filename, item.first_lineno) not in named
    ]
    for items, fault in ((everything, "nothing uses"), (only_tested, "only tests use")):
        for item in items:
            print(f"{item.filename.relative_to(ROOT)}:{item.first_lineno}: {fault} the {item.typ} {item.name}")
    return 1 if everything or only_tested else 0


def _read(folders: tuple[str, ...], filled: set[tuple[Path, int]]) -> list[Item]:
    vulture = Vulture(ignore_names=["test_*", "Test*", "pytest_*", "pytestmark"], ignore_decorators=DECORATORS)
    vulture.scavenge([ROOT / folder for folder in folders], exclude=[str(ROOT / "models" / "zoo")])
    known = set().union(*FRAMEWORK_NAMES.values())
    return [
        item
        for item in vulture.get_unused_code()
        if item.name not in known
        and not (item.typ == "attribute" and tag_for_keyword(item.name) is not None)
        # An argument that a test does not read is a fixture, wanted for its effect.
        and not (item.typ == "variable" and item.confidence == 100 and ROOT / "tests" in item.filename.parents)
        and (item.filename, item.first_lineno) not in filled
    ]


def _fields_filled_by_value(paths: list[Path]) -> set[tuple[Path, int]]:
    """File and line of every field of a pydantic model and every member of an enumeration."""
    classes: list[tuple[Path, ast.ClassDef, set[str]]] = []
    for path in (file for folder in paths for file in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                classes.append((path, node, {ast.unparse(base).rpartition(".")[2] for base in node.bases}))
    kinds = set(FILLED_BY_VALUE)
    while more := {node.name for _, node, bases in classes if bases & kinds} - kinds:
        kinds |= more
    return {
        (path, field.lineno)
        for path, node, _ in classes
        if node.name in kinds
        for field in node.body
        if isinstance(field, ast.Assign | ast.AnnAssign)
    }


if __name__ == "__main__":
    sys.exit(main())
