"""The OpenAPI document keeps what it promises: examples fit their schemas, and whatever fits the schemas breaks nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as how
from pydicom.uid import UID
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from service.api.auth import list_routes
from service.api.http.params import SOP_INSTANCE_UID, STUDY_INSTANCE_UID
from tests.support.api_server import Served, serve_api
from tests.support.sample_findings import full_field

BINARY = ("image/", "application/octet-stream", "multipart/related", "application/dicom", "video/")
PROMISES = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
"""Checks of schemathesis: no status of 500 and more, and no answer that the document does not tell of."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With one study under the UIDs that the examples name."""
    with serve_api(tmp_path_factory.mktemp("openapi")) as served:
        image = full_field("L", "CC", study_instance_uid=STUDY_INSTANCE_UID)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID(SOP_INSTANCE_UID)
        assert served.post(image).status_code == 202
        served.answer(image, "L", "MLO")
        served.conclude(STUDY_INSTANCE_UID)
        yield served


@pytest.fixture(scope="module")
def document(api: Served) -> dict[str, Any]:
    answer: dict[str, Any] = api.client.get("/openapi.json").json()
    return answer


@schemathesis.serializer("multipart/related")  # type: ignore[arg-type]  # it takes keywords of requests too, its type says bytes
def as_one_part(_: object, value: object) -> dict[str, Any]:
    """A STOW-RS body around whatever bytes schemathesis makes up."""
    content = getattr(value, "data", value)
    content = content if isinstance(content, bytes) else str(content).encode()
    body = b"--B\r\nContent-Type: application/dicom\r\n\r\n%s\r\n--B--\r\n" % content
    return {"data": body, "headers": {"Content-Type": 'multipart/related; type="application/dicom"; boundary=B'}}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What an operation takes and answers, by media type."""
    for status, response in operation["responses"].items():
        named = response if "$ref" not in response else document["components"]["responses"][status]
        yield from named.get("content", {}).items()
    yield from operation.get("requestBody", {}).get("content", {}).items()


def examples(document: dict[str, Any], content: dict[str, Any]) -> list[Any]:
    schema = content.get("schema", {})
    if "example" in content:
        return [content["example"]]
    if "$ref" in schema:
        return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]].get("examples", [])
    return schema.get("examples") or [[each] for each in examples(document, {"schema": schema.get("items", {})})] if schema else []


def test_whatever_is_no_binary_has_an_example(document: dict[str, Any]) -> None:
    without = [
        f"{name}: {media_type}"
        for name, operation in operations(document)
        for media_type, content in contents(document, operation)
        if not media_type.startswith(BINARY) and not examples(document, content)
    ]
    assert without == []


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    wrong, checked = [], 0
    for name, operation in operations(document):
        for media_type, content in contents(document, operation):
            if media_type.split("+")[-1].endswith("json") and "schema" in content:
                whole = jsonschema.Draft202012Validator({**content["schema"], "components": document["components"]})
                for example in examples(document, content):
                    wrong += [f"{name}: {error.message} at {error.json_path}" for error in whole.iter_errors(example)]
                    checked += 1
    assert wrong == []
    assert checked > 50


def test_every_route_is_described_with_its_scope(api: Served, document: dict[str, Any]) -> None:
    described = {name: operation.get("x-scope") for name, operation in operations(document)}
    guarded = {f"{each.method} {each.path}": each.scopes[0] for each in list_routes(api.site) if each.scopes}
    assert described == {name: guarded.get(name) for name in described}
    hidden = {name for name in guarded.keys() - described.keys() if "/api/" in name or "/dicom-web" in name}
    assert hidden == set()


def test_every_operation_and_parameter_is_explained(document: dict[str, Any]) -> None:
    silent = [name for name, operation in operations(document) if not operation.get("description") or not operation.get("tags")]
    silent += [
        f"{name}: {parameter['name']}"
        for name, operation in operations(document)
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]
    assert silent == []


def test_the_document_knows_no_error_but_problems(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and "$ref" not in response:
                stored = {(f"POST /dicom-web/studies{study}", "409") for study in ("", "/{study_instance_uid}")}
                assert (name, status) in {("GET /readyz", "503"), *stored}


def fuzz(api: Served, document: dict[str, Any], most_examples: int) -> dict[str, int]:
    """Ask each operation what its schema allows, and some of what it does not; count the requests."""
    counted: dict[str, int] = {}
    load_all_checks()
    checks = list(CHECKS.get_by_names(PROMISES))
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = api.client.headers["Authorization"]
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if _streams(operation.definition.raw):
            continue

        counted[operation.label] = _ask(operation, api.settings.public_api_url, session, checks, most_examples)
    session.close()
    return counted


def _ask(operation: Any, url: str, session: requests.Session, checks: list[Any], most_examples: int) -> int:
    asked = 0

    @how(
        max_examples=most_examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        nonlocal asked
        asked += 1
        answer = case.call(base_url=url, session=session, timeout=20)
        case.validate_response(answer, checks=checks)

    ask()
    return asked


def _streams(operation: dict[str, Any]) -> bool:
    """Endless answers have tests of their own."""
    return "text/event-stream" in operation["responses"].get("200", {}).get("content", {})


def test_what_the_schemas_allow_breaks_nothing(api: Served, document: dict[str, Any]) -> None:
    counted = fuzz(api, document, most_examples=4)
    streams = [name for name, operation in operations(document) if _streams(operation)]
    assert counted.keys() == {name for name, _ in operations(document)} - set(streams)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_much_of_what_the_schemas_allow_breaks_nothing(api: Served, document: dict[str, Any]) -> None:
    fuzz(api, document, most_examples=150)
