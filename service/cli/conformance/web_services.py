"""Section 5.6, what we answer over DICOMweb: stores, searches and retrievals, from the tables that answer them."""

from __future__ import annotations

from pydicom.uid import UID, ExplicitVRLittleEndian

from models.foreign_parsers import MAX_INFLATED_BYTES
from service.api.dicomweb import results as dicomweb_answers
from service.api.dicomweb.files import MOST_DECODED_BYTES, UNFIT
from service.api.dicomweb.json_model import INLINE_BYTES
from service.api.dicomweb.qido import MOST_OPENED
from service.api.dicomweb.query import LEDGER_KEYS, MOST_RESULTS, MOST_TEXTS, MOST_VALUES
from service.api.dicomweb.urls import PREFIX
from service.api.dicomweb.wado_frames import IMAGE_TYPES
from service.api.dicomweb.wado_rendered import TYPES
from service.cli.conformance.markdown import join, table
from service.error_table import ERROR_TABLE, PROCESSING_FAILURE
from service.errors import NotReceived

_LEVELS = (
    ("Study", "/studies", dicomweb_answers.STUDY),
    ("Series", "/studies/{study}/series, /series", dicomweb_answers.SERIES),
    ("Instance", "/studies/{study}/instances, /studies/{study}/series/{series}/instances, /instances", dicomweb_answers.INSTANCE),
)


def describe_origin_server() -> str:
    """What each transaction takes and answers."""
    return join(
        f"**Origin server**, below `{PREFIX}`. Every transaction needs a signed-in person or a key with the scope `upload` (store) or "
        "`read` (search, retrieve). Searched and retrieved are the objects that were received and those that were made here and sent: "
        "reports, heatmaps, marks, rejection notes and corrected images with a UID of their own. Under a UID that was received, the object "
        "is handed out as it was received.",
        "#### 5.6.1 Store",
        f'`POST {PREFIX}/studies` and `POST {PREFIX}/studies/{{study}}` (PS3.18 10.5), `multipart/related; type="application/dicom"`, '
        "in the transfer syntaxes of table 5.1-1 and Explicit VR Big Endian. The UIDs of the data set count where the file meta has "
        f"others; a deflated data set may inflate to {MAX_INFLATED_BYTES // 2**20} MiB. "
        "Answers 200 (all stored), 202 (some), 409 (none) with a Store Instances Response "
        "Module and Retrieve URLs; 400, 415 for what is no such request, which includes a body with Content-Encoding. A part that "
        "cannot be read, is too large, has another media type or belongs to another study than the one in the path fails alone.",
        "Table 5.6-1. Failure Reason (0008,1197)",
        table(
            ("Reason", "Case"),
            _failure_reasons(),
        ),
        "#### 5.6.2 Search",
        "`GET` (PS3.18 10.6; `HEAD` wherever `GET`), answers in `application/dicom+json` (200), 204 where nothing is found, 400 for "
        "a query that cannot be one.",
        "Table 5.6-2. What is searched, and the attributes of an answer",
        table(("Level", "Resource", "Attributes"), [(level, f"`{path}`", ", ".join(names)) for level, path, names in _LEVELS]),
        "Beside these: Instance Availability (ONLINE) and Retrieve URL; of a study Modalities in Study, SOP Classes in Study and the "
        "numbers of its series and instances; of a series the number of its instances; of an instance Available Transfer Syntax UID. "
        "`includefield` adds attributes, `all` every one that is not binary. Levels that the path does not name are answered with their "
        "attributes.",
        f"Matching: {', '.join(LEDGER_KEYS)} at every level, and any other attribute that is not binary, through sequences too: of a study "
        "or a series in the header of the object that speaks for it, a received one. For these at most "
        f"{MOST_OPENED} headers are read in one search, then 413. Single value, list of UIDs (commas or backslashes), "
        "wildcards `*` and `?`, ranges of dates and times, universal. Names are matched whatever the case (a ledger in SQLite: of ASCII "
        "letters), as a whole or by a component group. A key that is given several times matches any of its values. "
        f"`multiplevaluematching` (a list with commas or backslashes, of at most {MOST_TEXTS} values, {MOST_VALUES} of UIDs) and "
        "`emptyvaluematching` are supported. There is no fuzzy matching and no combined date and time matching; a Warning 299 says "
        "that `fuzzymatching` was not applied, and another one names parameters that are not supported and were ignored. "
        f"`limit` is {MOST_RESULTS} at most; a Warning 299 says that there is more.",
        "#### 5.6.3 Retrieve",
        "Table 5.6-3. Resources (PS3.18 10.4)",
        table(("Resource", "Media types"), _resources()),
        f"Objects go out in {ExplicitVRLittleEndian.name}, decompressed, unless the client takes `transfer-syntax=*` or the one that they "
        f"are stored in; {' and '.join(UID(each).name for each in sorted(UNFIT))} are never sent. No other transcoding is done: 406. "
        f"An object that cannot be decompressed, or would have more than {MOST_DECODED_BYTES // 2**20} MiB then, is answered with 406 by "
        "itself, and within a study or series as it is stored, which its part says. Where a file cannot be read the others come with 206. "
        f"Metadata hold binary values of up to {INLINE_BYTES} bytes inline, longer ones as BulkDataURI.",
        "Table 5.6-4. Compressed frames",
        table(("Transfer syntax", "Media type"), [(UID(uid).name, f"`{media_type}`") for uid, media_type in IMAGE_TYPES.items()]),
    )


def _resources() -> list[tuple[str, str]]:
    instance = "/studies/{study}/series/{series}/instances/{instance}"
    files, values = '`multipart/related; type="application/dicom"`', '`multipart/related; type="application/octet-stream"`'
    pictures = ", ".join(f"`{each}`" for each in TYPES)
    return [
        ("`/studies/{study}`, `/studies/{study}/series/{series}`", files),
        (f"`{instance}`", f"{files}, `application/dicom`"),
        ("each of these with `/metadata`", "`application/dicom+json`"),
        (f"`{instance}/frames/{{list}}`", f"{values}, those of table 5.6-4; one frame also in one part"),
        (f"`{instance}/bulkdata/{{tags}}`", f"{values}, `application/octet-stream`"),
        (f"`{instance}/rendered`, `{instance}/frames/{{frame}}/rendered`", f"{pictures}; `viewport`, `window`, `quality`"),
        (
            "`/studies/{study}/rendered`, `/studies/{study}/series/{series}/rendered`",
            f"`multipart/related` with a part of {pictures} for the first frame of each object that has pixels; one picture also "
            "in one part",
        ),
        (
            f"`{instance}/thumbnail`, `{instance}/frames/{{frame}}/thumbnail`, `/studies/{{study}}/series/{{series}}/thumbnail`, "
            "`/studies/{study}/thumbnail`",
            f"{pictures}; `viewport`",
        ),
    ]


def _failure_reasons() -> list[tuple[str, str]]:
    kinds = sorted(NotReceived.__subclasses__(), key=lambda kind: kind.code)
    rows = [(f"{ERROR_TABLE[kind].stow:04X}", kind.code) for kind in kinds if ERROR_TABLE[kind].stow != PROCESSING_FAILURE]
    return [*rows, (f"{PROCESSING_FAILURE:04X}", "any other")]
