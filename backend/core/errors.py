"""Errors that a caller can anticipate, and the one place where they become RFC 9457 problems."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, jsonify, make_response, render_template, request
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException

log = structlog.get_logger(__name__)


class DomainError(Exception):
    """The request cannot be done as it was sent."""

    status = 400
    headers: Mapping[str, str] = {}

    def __init__(
        self, detail: str = "", *, errors: Iterable[Mapping[str, Any]] = (), **extensions: Any
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = [dict(each) for each in errors]
        self.extensions = extensions

    @classmethod
    def code(cls) -> str:
        """Return the last part of the problem's type, from the class's name."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def explanation(cls) -> str:
        """Return what the problem means, from the class's docstring."""
        return " ".join((cls.__doc__ or "").split())

    @classmethod
    def title(cls) -> str:
        """Return the first sentence of the explanation."""
        return cls.explanation().partition(". ")[0].rstrip(".")


class Invalid(DomainError):
    """What was sent breaks a rule. The errors name each place; correct them and send it again."""

    status = 422


class Unauthenticated(DomainError):
    """You are not signed in. Sign in, or send a valid access token, and repeat the request."""

    status = 401
    headers = {"WWW-Authenticate": "Bearer"}


class Forbidden(DomainError):
    """You may not do this. Somebody with another role can do it, or can give you that role."""

    status = 403


class NotFound(DomainError):
    """What was asked for does not exist. It may also be that it is not yours to see."""

    status = 404


class Conflict(DomainError):
    """What was asked for contradicts what is there. Read the present state and decide again."""

    status = 409


class TooLarge(DomainError):
    """What was sent is larger than is accepted here. Send less, or send it in parts."""

    status = 413


class Unavailable(DomainError):
    """The service cannot answer just now. Nothing was changed; repeat the request a little later."""

    status = 503
    headers = {"Retry-After": "5"}


def problem_types() -> dict[str, type[DomainError]]:
    """Return every kind of problem by its code."""
    found: dict[str, type[DomainError]] = {}
    waiting = [DomainError]
    while waiting:
        kind = waiting.pop()
        found[kind.code()] = kind
        waiting.extend(kind.__subclasses__())
    return found


def describe(error: DomainError) -> dict[str, Any]:
    """Return the error as the members of an RFC 9457 problem."""
    problem: dict[str, Any] = {
        "type": f"/problems/{error.code()}",
        "title": error.title(),
        "status": error.status,
        "detail": error.detail or error.title(),
        "instance": f"/requests/{g.get('request_id', '-')}",
    }
    if error.errors:
        problem["errors"] = error.errors
    return problem | error.extensions


def wants_json() -> bool:
    """Whether the answer goes to a program rather than to a person."""
    if request.path == "/api" or request.path.startswith("/api/"):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
    return best == "application/json"


def answer(error: DomainError) -> Response:
    """Return the problem as JSON for programs and as a page for people."""
    problem = describe(error)
    if wants_json():
        response = jsonify(problem)
        response.mimetype = "application/problem+json"
    else:
        response = make_response(render_template("problem.html", problem=problem))
    response.status_code = error.status
    response.headers.update(error.headers)
    return response


def _answer_http(error: HTTPException) -> Response:
    """Give the framework's own errors (unknown address, wrong method, bad JSON) the same form."""
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return Response.force_type(error.get_response(), request.environ)
    problem = _http_problem(error)
    response = answer(problem)
    for name, value in error.get_headers(request.environ):
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _http_problem(error: HTTPException) -> DomainError:
    status = HTTPStatus(error.code or 500)
    named = next((kind for kind in problem_types().values() if kind.__dict__.get("status") == status and kind.__module__ == __name__), DomainError)
    messages = getattr(error, "data", {}).get("messages", {})
    problem = named(error.description or status.phrase, errors=_places(messages))
    problem.status = status
    return problem


def _places(messages: Mapping[str, Any], pointer: str = "") -> Iterable[dict[str, Any]]:
    """Flatten marshmallow's messages into one entry for each place."""
    for location, content in messages.items():
        if location in {"json", "query", "form", "files", "headers"} and not pointer:
            yield from _places_in(content, "" if location == "json" else None)
        else:
            yield from _places_in({location: content}, pointer)


def _places_in(content: Any, pointer: str | None, name: str = "") -> Iterable[dict[str, Any]]:
    if isinstance(content, Mapping):
        for key, inner in content.items():
            inside = None if pointer is None else f"{pointer}/{key}"
            yield from _places_in(inner, inside, str(key))
    else:
        place = {"parameter": name} if pointer is None else {"pointer": pointer}
        for detail in content if isinstance(content, list) else [content]:
            yield place | {"code": "invalid_value", "detail": str(detail)}


def _answer_constraint(error: IntegrityError) -> Response:
    log.info("constraint", constraint=_constraint(error))
    return answer(Conflict("Another record already holds that value, or one that is needed is gone."))


def _constraint(error: IntegrityError) -> str | None:
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None)


def _answer_database(error: DBAPIError) -> Response:
    if isinstance(error, OperationalError) or error.connection_invalidated:
        log.warning("database unavailable", error=type(error.orig).__name__)
        return answer(Unavailable("The database does not answer."))
    return _answer_unexpected(error)


def _answer_unexpected(error: Exception) -> Response:
    if current_app.testing:
        raise error
    log.error("unexpected", exc_info=error)
    problem = DomainError("Something went wrong on our side. Give the request's id to support.")
    problem.status = 500
    return answer(problem)


def init_app(app: Flask) -> None:
    """Answer every error in one form."""
    app.register_error_handler(DomainError, answer)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(IntegrityError, _answer_constraint)
    app.register_error_handler(DBAPIError, _answer_database)
    app.register_error_handler(Exception, _answer_unexpected)

    @app.get("/problems/<code>")
    def explain_problem(code: str) -> str:
        """Show what a kind of problem means and what to do about it."""
        kind = problem_types().get(code)
        if kind is None:
            raise NotFound(f"No problem is called {code}.")
        return render_template("problem_type.html", kind=kind)
