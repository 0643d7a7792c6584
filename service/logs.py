"""Logging for every process: one line a record, text or JSON, and nothing about a patient.

Our own code logs codes and ids. The guard is for the records and exceptions of other packages: it drops values from DICOM, masks
person names, and shows only type and place of a foreign exception, because its message may quote the data.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

WITHHELD = "[withheld]"

_PLAIN = (str, int, float, bool, type(None), Path, Enum, datetime)
_PERSON_NAME = re.compile(r"[^\s'\"=,;:()\[\]]+(?: [^\s^'\"=,;:()\[\]]+)*\^[^\s'\",;()\[\]]*")
"""Carets join the components of a DICOM person name (PS3.5 6.2)."""

_PATIENT_ELEMENT = re.compile(r"\(0010,\s?[0-9a-fA-F]{4}\).*|\b(Patient\w*|OtherPatient\w*)\b\s*[=:].*")
"""An element of the patient group, as pydicom and dcmtk print it: the rest of the line is about the patient."""

_QUIET = {"pydicom": logging.ERROR, "pynetdicom": logging.ERROR, "PIL": logging.WARNING, "httpx": logging.WARNING}
"""Below these levels they print whole data sets, or each request."""

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class PatientGuard(logging.Filter):
    """Removes values of data sets from each record; no record is dropped."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, dict):
            record.args = {key: _plain(value) for key, value in record.args.items()}
        elif record.args:
            record.args = tuple(_plain(value) for value in record.args)
        record.msg, record.args = mask(_message(record)), ()
        for name in record.__dict__.keys() - _STANDARD:
            record.__dict__[name] = _masked(record.__dict__[name])
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = describe(*record.exc_info)
        record.exc_info = None
        record.stack_info = None
        return True


def mask(text: str) -> str:
    """Hide person names and elements of the patient group in a text."""
    return _PERSON_NAME.sub(WITHHELD, _PATIENT_ELEMENT.sub(WITHHELD, text))


def describe(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> str:
    """Type and place of an exception; the message only of our own exceptions."""
    name = kind.__name__ if kind else "Exception"
    ours = kind is not None and kind.__module__.split(".")[0] in ("service", "models")
    places = [f"  {Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(trace)]
    return "\n".join([f"{name}: {mask(str(error))}" if ours else name, *places])


class TextFormat(logging.Formatter):
    """`time LEVEL logger: message key=value ...`"""

    def format(self, record: logging.LogRecord) -> str:
        extras = "".join(f" {key}={value}" for key, value in _extras(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{extras}"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class JsonFormat(logging.Formatter):
    """One object per line: time, level, logger, message, the extras of the record, and `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line | _extras(record), default=str)


def configure_logging(as_json: bool, level: int = logging.INFO) -> None:
    """Send the records of all loggers to standard error, through the guard; replaces any earlier configuration."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormat() if as_json else TextFormat())
    handler.addFilter(PatientGuard())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, quiet))


def _message(record: logging.LogRecord) -> str:
    if not isinstance(record.msg, str):
        return WITHHELD if not isinstance(record.msg, _PLAIN) else str(record.msg)
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return record.msg  # arguments that do not fit the message must not stop the program


def _plain(value: object) -> object:
    return value if isinstance(value, _PLAIN) else WITHHELD


def _masked(value: object) -> object:
    return mask(value) if type(value) is str else _plain(value)


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
