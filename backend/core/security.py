"""What every answer says to browsers, and how large what they send may be."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import IO, Any, TypeVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Request, Response, current_app, session
from flask.globals import request_ctx
from flask_cors import CORS
from werkzeug.formparser import FormDataParser

from backend.core.config import Settings
from backend.core.errors import DomainError, Malformed, TooLarge

View = TypeVar("View", bound=Callable[..., Any])

DEFAULT_BODY_LIMIT = 256 * 1024

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


ONLY_ENCRYPTED = "max-age=63072000; includeSubDomains"
CONDITIONS = ["Idempotency-Key", "If-Match", "If-None-Match", "X-Request-ID"]
TOLD = [
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Retry-After",
    "X-Request-ID",
]


class LengthRequired(DomainError):
    """The length of the body is missing. Send it with a Content-Length header, not in chunks."""

    status = HTTPStatus.LENGTH_REQUIRED


class FormUnreadable(Malformed):
    """The form cannot be read. It was cut off, or a name in it is not in UTF-8; send it again."""


class StrictRequest(Request):
    """A request whose form is read whole or refused; the library would make it an empty one."""

    def make_form_data_parser(self) -> FormDataParser:
        """Return a parser that tells what it cannot read."""
        parser = super().make_form_data_parser()
        parser.silent = False
        return parser

    def _get_file_stream(self, *arguments: Any, **options: Any) -> IO[bytes]:
        opened = super()._get_file_stream(*arguments, **options)
        self.__dict__.setdefault("begun", []).append(opened)
        return opened

    def _load_form_data(self) -> None:
        try:
            super()._load_form_data()
        except Exception as error:
            for each in self.__dict__.pop("begun", ()):
                each.close()
            if isinstance(error, ValueError):
                raise FormUnreadable from error
            raise


def body_limit(size: int) -> Callable[[View], View]:
    """Let this view accept a body of so many bytes instead of 256 kB."""

    def mark(view: View) -> View:
        view.body_limit = size  # type: ignore[attr-defined]  # functions take attributes
        return view

    return mark


def _limit_body() -> None:
    """Refuse a body that is too large before anything reads it.

    One that comes in chunks, without a length, would silently be cut off at the limit.
    """
    asked: Request = request_ctx.request
    if "HTTP_TRANSFER_ENCODING" in asked.environ:
        raise LengthRequired
    limit = _limit_of_view(asked)
    hint = ""
    if asked.mimetype == "application/x-www-form-urlencoded" and limit > DEFAULT_BODY_LIMIT:
        # Such a form is read whole into memory, whatever the view takes of files.
        limit, hint = DEFAULT_BODY_LIMIT, " in such a form; send files as multipart/form-data"
    asked.max_content_length = limit
    if (asked.content_length or 0) > limit:
        raise TooLarge(f"At most {limit:,} bytes are accepted here{hint}.")


def _limit_of_view(asked: Request) -> int:
    view = current_app.view_functions.get(asked.endpoint or "")
    resource = getattr(view, "view_class", None)
    method = getattr(resource, asked.method.lower(), None) if resource else None
    for marked in (method, view):
        if (limit := getattr(marked, "body_limit", None)) is not None:
            return int(limit)
    return DEFAULT_BODY_LIMIT


def _forbid_caching(response: Response) -> Response:
    """Let nobody keep an answer that does not say who may, or that was made for one browser."""
    if "Cache-Control" not in response.headers or _is_signed_in_page():
        response.headers["Cache-Control"] = "no-store"
    return response


def _is_signed_in_page() -> bool:
    """Whether the answer was made for one person's browser; the API knows no session cookie."""
    asked: Request = request_ctx.request
    return not asked.path.startswith("/api/") and asked.endpoint != "static" and bool(session)


def _with_headers(inner: WSGIApplication, headers: list[tuple[str, str]]) -> WSGIApplication:
    """Add the headers to every answer that does not bring its own.

    They never change, so that they need not go through what keeps an answer's headers.
    """
    names = {name.lower() for name, _ in headers}

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, given: list[tuple[str, str]], *error: Any) -> Any:
            own = names.intersection(name.lower() for name, _ in given)
            added = [each for each in headers if each[0].lower() not in own] if own else headers
            return start_response(status, given + added, *error)

        return inner(environ, start)

    return application


def init_app(app: Flask) -> None:
    """Limit bodies, ahead of the CSRF check, which reads them, and add the headers."""
    app.request_class = StrictRequest
    app.before_request(_limit_body)
    app.after_request(_forbid_caching)
    settings: Settings = app.extensions["settings"]
    transport = {} if settings.is_local else {"Strict-Transport-Security": ONLY_ENCRYPTED}
    headers = list((HEADERS | transport).items())
    app.wsgi_app = _with_headers(app.wsgi_app, headers)  # type: ignore[assignment,method-assign]  # Flask documents this
    _let_others_read(app, settings.browser_origins)


def _let_others_read(app: Flask, origins: tuple[str, ...]) -> None:
    """Let pages of these origins read the API, by their tokens: no cookie is ever sent along."""
    if not origins:
        return
    CORS(
        app,
        resources={r"/api/.*": {"origins": list(origins)}},
        allow_headers=["Authorization", "Content-Type", *CONDITIONS],
        expose_headers=TOLD,
        max_age=600,
    )
