"""Character sets that pydicom 3.0 reads wrongly (PS3.3 C.12.1.1.2, PS3.5 section 6.1.2.5): mended here, outside pydicom, for every reader.

* A NUL inside Specific Character Set makes pydicom refuse the whole object (pydicom issue 2338). It means the default character set here.
* Code extensions of GB 2312 (ISO 2022 IR 58): pydicom leaves the escape sequence to Python, whose codec does not know it.
* A person name falls back to the first character set at ``^`` and ``=``; pydicom lets a Korean or Chinese component run on behind them.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Any

import pydicom.charset
import pydicom.dataset
import pydicom.filereader
import pydicom.filewriter
import pydicom.values
from pydicom.multival import MultiValue
from pydicom.valuerep import TEXT_VR_DELIMS, VR, PersonName

NAME_DELIMITERS = TEXT_VR_DELIMS | {ord(each) for each in "^=\\"}
"""After these a person name is in the first character set again (PS3.5 section 6.1.2.5.3)."""

DECODED_BY_PYTHON = ("iso2022_jp", "iso2022_jp_2")
"""The only codecs that know the escape sequences of DICOM."""

_convert_encodings = pydicom.charset.convert_encodings


def convert_encodings(encodings: str | MutableSequence[str] | None) -> list[str]:
    """Python codecs of a Specific Character Set; a value with a NUL inside is the default character set."""
    if not encodings:
        return _convert_encodings(encodings)
    values = [encodings] if isinstance(encodings, str) else list(encodings)
    trimmed = [each.strip("\0 ") for each in values]
    return _convert_encodings(["" if "\0" in each else each for each in trimmed])


def convert_person_name(value: bytes, encodings: Sequence[str] | None = None) -> Any:
    """A person name, or several, from its bytes."""
    codecs = list(encodings or [pydicom.charset.default_encoding])
    text = pydicom.charset.decode_bytes(value.rstrip(b"\x00 "), codecs, NAME_DELIMITERS)

    def build(name: str) -> PersonName:
        person = PersonName(name, codecs)
        person.encode()  # as pydicom: the bytes of a name that was given as text are known only afterwards
        return person.decode()

    names = text.split("\\")
    return build(names[0]) if len(names) == 1 else MultiValue(build, names)


def mend_pydicom() -> None:
    """Put the functions above into pydicom; doing it again changes nothing."""
    for module in (pydicom.charset, pydicom.dataset, pydicom.filereader, pydicom.filewriter):
        module.convert_encodings = convert_encodings  # type: ignore[attr-defined]
    pydicom.charset.handled_encodings = DECODED_BY_PYTHON  # type: ignore[assignment]
    pydicom.values.converters[VR.PN] = convert_person_name
