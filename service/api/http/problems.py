"""Every error leaves the API as application/problem+json (RFC 9457); the statuses are in `service.error_table`."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from models.errors import MammotriageError
from service.error_table import status_of

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)


class Problem(BaseModel):
    """RFC 9457 problem details; `code` is stable and for programs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:mammotriage:problem:unknown-study",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "no study has this Study Instance UID",
                    "code": "unknown-study",
                }
            ]
        }
    )

    type: str = Field("about:blank", description="URN of the kind of problem")
    title: str
    status: int
    detail: str = Field("", description="what is wrong and what to do, never with patient data")
    code: str = Field(description="stable name of the problem")
    errors: list[dict[str, str]] = Field([], description="one entry a wrong parameter or refused file")


class ProblemError(Exception):
    """Raised by routes: the request cannot be answered, and this is why."""

    def __init__(
        self, status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors = errors or []
        self.headers = headers or {}


def answer(
    status: int, code: str, detail: str = "", errors: list[dict[str, str]] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Build the problem response."""
    problem = Problem(
        type=f"urn:mammotriage:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=errors or [],
    )
    return JSONResponse(problem.model_dump(exclude_defaults=True), status, headers, MEDIA_TYPE)


def install_problems(app: FastAPI) -> None:
    """Answer every kind of error with a problem."""

    async def on_problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProblemError)
        return answer(error.status, error.code, error.detail, error.errors, error.headers)

    async def on_own_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, MammotriageError)
        return answer(status_of(error).http, error.code, str(error))

    async def on_http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        headers = dict(error.headers) if error.headers else None
        detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
        return answer(error.status_code, code, detail, headers=headers)

    async def on_invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        # The wrong value itself stays out: it may hold what a caller mistook for an identifier.
        wrong = [{"where": ".".join(map(str, each["loc"])), "what": str(each["msg"])} for each in error.errors()]
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "a parameter is wrong", wrong)

    async def on_anything(_: Request, error: Exception) -> JSONResponse:
        log.error("unexpected error in a request", extra={"error": type(error).__name__})
        return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "the request broke the server; its log says where")

    app.add_exception_handler(ProblemError, on_problem)
    app.add_exception_handler(MammotriageError, on_own_error)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(Exception, on_anything)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the problems that a route may answer."""
    return {status: {"model": Problem, "content": {MEDIA_TYPE: {}}, "description": HTTPStatus(status).phrase} for status in statuses}
