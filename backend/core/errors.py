"""Errors that a caller can anticipate, and the one place where they become RFC 9457 problems."""

import re
from collections.abc import Iterable, Mapping
from errno import EDQUOT, ENOSPC
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from flask import Flask, Response, current_app, g, jsonify, make_response, render_template, request
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

log = structlog.get_logger(__name__)


class DomainError(Exception):
    """The request cannot be done as it was sent. Correct what the detail names and send it again.

    Each of `errors` has one of pointer, parameter, header or line, then a code and a detail;
    extensions become further members of the problem.
    """

    status: int = HTTPStatus.BAD_REQUEST
    headers: ClassVar[Mapping[str, str]] = {}
    code: ClassVar[str] = "domain-error"
    title: ClassVar[str] = ""
    explanation: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        """Take code, title and explanation from the class's name and docstring, unless given."""
        own = vars(cls)
        words, _, _ = (cls.__doc__ or "").partition("\n\n")
        cls.explanation = own.get("explanation") or " ".join(words.split())
        cls.title = own.get("title") or cls.explanation.partition(". ")[0].rstrip(".")
        cls.code = own.get("code") or re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(
        self, detail: str = "", *, errors: Iterable[Mapping[str, Any]] = (), **extensions: object
    ) -> None:
        super().__init__(detail or self.explanation)
        self.detail = detail or self.explanation
        self.errors = [dict(each) for each in errors]
        self.extensions = extensions


class Malformed(DomainError):
    """The request cannot be read. Its address, headers or body are not in the form expected here.

    It is for what nobody but a program's author can mend; `Invalid` is for values.
    """


class Invalid(DomainError):
    """What was sent breaks a rule. The errors name each place; correct them and send it again."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unauthenticated(DomainError):
    """You are not signed in. Sign in, or send a valid access token, and repeat the request."""

    status = HTTPStatus.UNAUTHORIZED
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class Forbidden(DomainError):
    """You may not do this. Somebody with another role can do it, or can give you that role."""

    status = HTTPStatus.FORBIDDEN


class NotFound(DomainError):
    """What was asked for does not exist. It may also be that it is not yours to see."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(DomainError):
    """That method is not for this address. The Allow header names the methods that are."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class Conflict(DomainError):
    """What was asked for contradicts what is there. Read the present state and decide again."""

    status = HTTPStatus.CONFLICT


class TooLarge(DomainError):
    """What was sent is larger than is accepted here. Send less, or send it in parts."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(DomainError):
    """The body is of a kind that is not read here. The Content-Type header has to fit the body."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class TooManyRequests(DomainError):
    """There were too many requests in a short time. Wait as long as Retry-After says."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "60"}


class Unexpected(DomainError):
    """Something went wrong on our side. Give the request's id to support."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


class Unavailable(DomainError):
    """The service cannot answer just now. Nothing was changed; repeat the request in a while."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "5"}


def problem_types() -> dict[str, type[DomainError]]:
    """Return every kind of problem by its code."""
    found: dict[str, type[DomainError]] = {}
    waiting = DomainError.__subclasses__()
    while waiting:
        kind = waiting.pop()
        found[kind.code] = kind
        waiting.extend(kind.__subclasses__())
    return dict(sorted(found.items()))


def describe(error: DomainError) -> dict[str, Any]:
    """Return the error as the members of an RFC 9457 problem."""
    problem: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": int(error.status),
        "detail": error.detail,
        "instance": f"/requests/{g.get('request_id', '-')}",
    }
    if error.errors:
        problem["errors"] = error.errors
    return problem | error.extensions


FROM_STATUS = {
    kind.status: kind
    for kind in (
        Malformed,
        Unauthenticated,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        TooLarge,
        UnsupportedMediaType,
        Invalid,
        TooManyRequests,
        Unexpected,
        Unavailable,
    )
}
# Foreign keys, unique and exclusion constraints: what others did meanwhile. Anything else that
# the database refuses is a rule that a service forgot.
RACE_STATES = {"23503", "23505", "23P01"}
READ_ONLY = "25006"  # As during a failover, or by an administrator's hand.


def wants_json() -> bool:
    """Whether the answer goes to a program rather than to a person, whose browser asks for HTML."""
    if request.path == "/api" or request.path.startswith("/api/"):
        return True
    accepted = request.accept_mimetypes
    return accepted.quality("text/html") <= accepted.quality("application/json")


def answer(error: DomainError) -> Response:
    """Return the problem as JSON for programs and as a page for people."""
    problem = describe(error)
    response = None if wants_json() else _page(problem)
    if response is None:
        response = jsonify(problem)
        response.mimetype = "application/problem+json"
    response.status_code = error.status
    response.headers.update(error.headers)
    return response


def _page(problem: Mapping[str, Any]) -> Response | None:
    """Return the problem's page, or none when the page itself is what is broken."""
    try:
        return make_response(render_template("problem.html", problem=problem))
    except Exception:
        log.exception("no page for a problem")
        return None


def _answer_http(error: HTTPException) -> BaseResponse:
    """Give the framework's own errors (unknown address, wrong method, bad JSON) the same form."""
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST or error.response is not None:
        return error.get_response(request.environ)
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("unexpected", exc_info=error)
    response = answer(_from_http(error))
    for name, value in error.get_headers(request.environ):
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _from_http(error: HTTPException) -> DomainError:
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(f"There is nothing at {request.path}.")
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodNotAllowed(f"{request.path} does not take {request.method}.")
    if status in FROM_STATUS:
        return FROM_STATUS[status]()
    problem = Malformed(f"{status.phrase}.")
    problem.status = status
    return problem


def answer_database(error: SQLAlchemyError) -> Response:
    """Tell what the caller can repeat or correct from what is our own mistake."""
    if isinstance(error, IntegrityError) and _sqlstate(error) in RACE_STATES:
        log.info("constraint refused", constraint=_constraint(error))
        return answer(Conflict("A record with that value exists, or one it needs is gone."))
    if isinstance(error, DataError):
        return answer(Invalid("A value is too large, or has characters that cannot be kept."))
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    is_away = isinstance(error, OperationalError | InterfaceError | PoolTimeoutError)
    if is_lost or is_away or _sqlstate(error) == READ_ONLY:
        log.warning("database unavailable", error=type(error).__name__)
        return answer(Unavailable("The database does not answer."))
    return _answer_unexpected(error)


def _sqlstate(error: SQLAlchemyError) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _constraint(error: IntegrityError) -> str | None:
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None)


def _answer_unexpected(error: Exception) -> Response:
    """Say nothing of what happened but the id by which the log tells it."""
    if isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT}:
        log.error("no room", exc_info=error)
        return answer(Unavailable("There is no room for it just now."))
    if current_app.testing:
        raise error
    log.error("unexpected", exc_info=error)
    return answer(Unexpected())


def _explain_problem(code: str) -> str:
    """Show what a kind of problem means and what to do about it."""
    kind = problem_types().get(code)
    if kind is None:
        raise NotFound(f"No problem is called {code}.")
    return render_template("problem_type.html", kind=kind)


def init_app(app: Flask) -> None:
    """Answer every error in one form, and explain each kind at its own address."""
    app.register_error_handler(DomainError, answer)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(SQLAlchemyError, answer_database)
    app.register_error_handler(Exception, _answer_unexpected)
    app.add_url_rule("/problems/<code>", "explain_problem", _explain_problem)
