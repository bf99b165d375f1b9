"""Every error as application/problem+json (RFC 9457), with all problems listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from appliance.control.errors import ConflictError, ControlError, StateError, UnfitError, UnknownError
from appliance.remote.answers import ProblemDetails
from appliance.resources.documents import plain_document, problems_of

_STATUS: Mapping[type[ControlError], int] = {UnknownError: 404, ConflictError: 409, UnfitError: 422, StateError: 500}
RESPONSES: dict[int | str, dict[str, object]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }
    for status in (400, 401, 404, 409, 422)
}
"""What any path may answer, for the OpenAPI document."""


def problem(
    status: int, detail: str, problems: Iterable[str] = (), *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error as a response."""
    title = HTTPStatus(status).phrase
    details = ProblemDetails(type="about:blank", title=title, status=status, detail=detail, problems=list(problems))
    return JSONResponse(
        details.model_dump(), status_code=status, headers=headers, media_type="application/problem+json"
    )


def answer_problems(app: FastAPI) -> None:
    """Make the app answer every error as a problem."""

    @app.exception_handler(ControlError)
    async def refused(_: Request, error: ControlError) -> JSONResponse:
        return problem(_STATUS[type(error)], error.detail, error.problems)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = error.errors()
        if any(each["type"] == "json_invalid" for each in errors):
            return problem(400, "the body is not JSON", [str(each["ctx"]["error"]) for each in errors if "ctx" in each])
        if error.body is None:
            return problem(400, "expected a JSON body, found none")
        inside = [{**each, "loc": tuple(each["loc"][1:])} for each in errors]
        found = problems_of(inside, plain_document(error.body, "body"))
        return problem(
            422,
            f"the body has {len(found)} problem{'s' if len(found) > 1 else ''}",
            [f"{each.path}: {each.message}" if each.path else each.message for each in found],
        )

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, f"{request.method} {request.url.path}: {error.detail}", headers=error.headers)

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - the log has it, not the answer
        return problem(500, f"{request.method} {request.url.path} failed inside the gateway; its log says how")
