"""``/openapi.json``: the API described for programs. What every route has in common is written in here, not at each route."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from service.api.auth import list_routes, require_scope
from service.api.auth.cookies import cookie_name
from service.api.http.problems import MEDIA_TYPE
from service.domain.access import Scope
from service.settings import Settings

TAGS = {
    "hanging": "Which image hangs where, for hanging-protocol software. docs/hanging-protocols.md leads through it.",
    "studies": "Hand studies in, read the worklist, see what a study holds.",
    "instances": "Pictures of one image.",
    "events": "What happens, as it happens.",
    "corrections": "Differences between headers and pixels, and what persons decide about them.",
    "deliveries": "What was written back, where to, and how that ended.",
    "feedback": "What readers say of the labels.",
    "quality": "Figures over machines and time.",
    "operations": "For those who run the service.",
    "access": "People, keys, and the audit trail.",
    "DICOMweb": "QIDO-RS, WADO-RS and STOW-RS (PS3.18).",
}
"""In the order in which the documentation shows them."""

_PROBLEMS = {
    400: ("broken-multipart", "the body is not what its Content-Type says"),
    401: ("not-signed-in", "sign in, or show a key: Authorization: Bearer mt_..."),
    403: ("forbidden", "this needs the scope decide, which you do not have"),
    404: ("unknown-study", "no study has this Study Instance UID"),
    406: ("not-acceptable", "none of the media types that you accept can be made"),
    409: ("decision-refused", "this correction was decided already"),
    410: ("gone", "the stored file is gone"),
    413: ("instance-too-large", "an instance is larger than this service keeps"),
    415: ("unsupported-media-type", "send multipart/form-data"),
    422: ("invalid-request", "a parameter is wrong"),
    429: ("too-many-tries", "wait before you try again"),
    503: ("broker-down", "the queue does not answer; what was received is safe"),
    507: ("disk-full", "the data disk is nearly full"),
}
"""A code and a sentence of each kind, as an example."""


def install_documentation(app: FastAPI, settings: Settings) -> None:
    """Describe the application, once all its routes are in; the description is made when it is first asked for."""

    def describe_once() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app, cookie_name(settings))
        return app.openapi_schema

    app.openapi = describe_once  # type: ignore[method-assign]
    router = APIRouter(dependencies=[require_scope(Scope.READ)], include_in_schema=False)

    @router.get("/openapi.json")
    def openapi(request: Request) -> JSONResponse:
        """The OpenAPI 3.1 document."""
        return JSONResponse(request.app.openapi())

    app.include_router(router)


def describe(app: FastAPI, cookie: str) -> dict[str, Any]:
    """Build the OpenAPI document.

    Parameters
    ----------
    cookie
        Name of the cookie that sessions of people are in.

    Returns
    -------
    FastAPI's document with what authentication and the error handlers add to every route: who may use it (``security``,
    ``x-scope``), and that every error is a problem (RFC 9457).
    """
    tags = [{"name": name, "description": text} for name, text in TAGS.items()]
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes, tags=tags)
    scopes = {(each.method.lower(), each.path): each.scopes[0] for each in list_routes(app) if each.scopes and not each.is_public}
    problems: set[int] = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if scope := scopes.get((method, path)):
                _guard(operation, scope)
            problems |= _name_problems(operation["responses"])
    components = document["components"]
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own form of a 422, which no route of ours answers with
        components["schemas"].pop(name, None)
    for schema in components["schemas"].values():
        if "examples" in schema:
            schema["examples"] = [_restore_nulls(example, schema, components["schemas"]) for example in schema["examples"]]
    components["responses"] = {str(status): _problem(status) for status in sorted(problems)}
    components["securitySchemes"]["session"] = {
        "type": "apiKey",
        "in": "cookie",
        "name": cookie,
        "description": "session of a person who signed in; what changes something also sends X-CSRF-Token",
    }
    return document


def _guard(operation: dict[str, Any], scope: Scope) -> None:
    operation["security"] = [{"key": []}, {"session": []}]
    operation["x-scope"] = scope.value
    operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope `{scope}`.".strip()
    for status in (401, 403):
        operation["responses"].setdefault(str(status), {"content": {MEDIA_TYPE: {}}})


def _name_problems(responses: dict[str, Any]) -> set[int]:
    """Refer to one description of each kind of problem."""
    found = set()
    for status, response in responses.items():
        content = response.get("content", {})
        validation = content.get("application/json", {}).get("schema", {}).get("$ref", "").endswith("/HTTPValidationError")
        if MEDIA_TYPE in content or validation:
            responses[status] = {"$ref": f"#/components/responses/{status}"}
            found.add(int(status))
    return found


def _restore_nulls(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """FastAPI leaves nulls out of the document, of examples too, which then lack what their schema demands."""
    known = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    for each in known.get("anyOf", ()):
        if "$ref" in each or each.get("type") in ("array", "object"):
            known = schemas[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
    if isinstance(value, list):
        return [_restore_nulls(each, known.get("items", {}), schemas) for each in value]
    if not isinstance(value, dict):
        return value
    properties, further = known.get("properties", {}), known.get("additionalProperties")
    nullable = {name for name, each in properties.items() if {"type": "null"} in each.get("anyOf", ())}
    absent = {name: None for name in known.get("required", ()) if name in nullable and name not in value}
    of = {name: properties.get(name, further if isinstance(further, dict) else {}) for name in value}
    return {name: _restore_nulls(each, of[name], schemas) for name, each in value.items()} | absent


def _problem(status: int) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    code, detail = _PROBLEMS.get(status, (title.lower().replace(" ", "-"), ""))
    example = {"type": f"urn:mammotriage:problem:{code}", "title": title, "status": status, "code": code}
    content = {
        MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example | ({"detail": detail} if detail else {})}
    }
    return {"description": title, "content": content}
