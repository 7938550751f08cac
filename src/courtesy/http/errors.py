"""From what went wrong to an answer: one table from code to status, one form for every error."""

from __future__ import annotations

import msgspec
import structlog
from litestar.exceptions import HTTPException

from courtesy.base.errors import HTTP_STATUS, Code, CourtesyError
from courtesy.http.operation import Answer, Operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.telemetry import REFUSED_REQUESTS, error_and_place

METHOD_NOT_ALLOWED = "method_not_allowed"
INTERNAL = "internal"
"""Codes that only HTTP knows: a path that does not take the method, and a bug of ours."""

RETRY_AFTER_S = {429: "1", 503: "10"}
BUG_RETRY_AFTER_S = "30"
"""Well under the 300 s that clients of the tracking protocol obey at most."""

log = structlog.get_logger("http")


class Problem(msgspec.Struct, frozen=True):
    """What went wrong: `code` for programs, `message` for people, `hint` what to do about it, `place` where."""

    code: str
    message: str
    hint: str = ""
    place: str = ""


def status_of(code: Code, operation: Operation | None) -> int:
    """The status for a code. The tracking protocol knows no 413."""
    if code is Code.TOO_LARGE and operation is not None and operation.tracking:
        return HTTP_STATUS[Code.INVALID]
    return HTTP_STATUS[code]


def problem_of(error: Exception, operation: Operation | None) -> Problem:
    """What whoever asked is told. A bug is told as such, and without its details."""
    if isinstance(error, CourtesyError):
        return Problem(error.code, error.message, error.hint, error.place)
    hint = "send it again" if _writes(operation) else "the log of the server has the details"
    return Problem(INTERNAL, "this should not have happened", hint)


def _writes(operation: Operation | None) -> bool:
    return operation is not None and operation.scope is Scope.WRITE


def answer_to(error: Exception, operation: Operation | None, content: msgspec.Struct | None = None) -> Answer:
    """The answer to an error; `content` replaces its body when there is more to say.

    After a bug a client that sent events is told to send them again, for they are not known to be stored.
    """
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _answer_to_http(error, operation)
    problem = content or problem_of(error, operation)
    if isinstance(error, CourtesyError):
        REFUSED_REQUESTS.labels(str(error.code)).inc()
        status = status_of(error.code, operation)
        return _answer(status, problem, operation, RETRY_AFTER_S.get(status))
    REFUSED_REQUESTS.labels(INTERNAL).inc()
    log_bug(error, operation)
    if _writes(operation):
        return _answer(503, problem, operation, BUG_RETRY_AFTER_S)
    return _answer(500, problem, operation, None)


def _answer_to_http(error: HTTPException, operation: Operation | None) -> Answer:
    """An error of the framework: no such path, or no such method there."""
    code = {404: str(Code.NOT_FOUND), 405: METHOD_NOT_ALLOWED}.get(error.status_code, str(Code.INVALID))
    REFUSED_REQUESTS.labels(code).inc()
    message = {404: "there is nothing at this path", 405: "the path does not take this method"}.get(error.status_code)
    hint = "/openapi.json lists every path" if error.status_code in (404, 405) else ""
    problem = Problem(code, message or error.detail, hint)
    allow = (error.headers or {}).get("allow")
    answer = _answer(error.status_code, problem, operation, None)
    return answer.with_headers(("allow", allow)) if allow else answer


def _answer(status: int, problem: msgspec.Struct, operation: Operation | None, retry_after_s: str | None) -> Answer:
    answer = Answer(msgspec.json.encode(problem), status)
    if retry_after_s is not None:
        answer = answer.with_headers(("retry-after", retry_after_s))
    if status == HTTP_STATUS[Code.UNAUTHENTICATED]:
        scheme = "Basic" if operation is not None and operation.scope is Scope.WRITE else "Bearer"
        answer = answer.with_headers(("www-authenticate", f'{scheme} realm="courtesy"'))
    return answer


def log_bug(error: BaseException, operation: Operation | None) -> None:
    """Say where it happened, but not with what."""
    log.error("request_failed", route=operation.path if operation else None, **error_and_place(error))
