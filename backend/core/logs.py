"""Logs: one JSON object for each line, with the request's id and without personal data."""

import json
import logging
import re
import sys
from functools import partial
from time import perf_counter
from typing import TextIO
from uuid import uuid4

import click
import structlog
from flask import Flask, Request, Response, g, request
from flask.globals import request_ctx
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor

log = structlog.get_logger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"}
QUIET_ENDPOINTS = {"healthz", "readyz", "static"}
# What brings handlers of its own, or says at "info" what only its makers want to know.
FOREIGN_LOGGERS = {
    "_granian": logging.INFO,
    "werkzeug": logging.WARNING,
    "alembic": logging.WARNING,
    "flask_wtf.csrf": logging.WARNING,
}

# It begins nowhere but at a word's beginning: else a long word without @ takes its length squared.
EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(\.[\w-]+)+")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
# An MPAN has 13 digits, often in groups. Ids and hashes are left alone, and so are decimals.
LONG_NUMBER = re.compile(
    r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![0-9a-z])[0-9a-f]{32,}(?![0-9a-z]))"
    r"|(?<!\d)(?<!\d\.)(?:\d{2}-\d{4}-\d{4}-\d{3}|\d(?: ?\d){9,})(?!\d)",
    re.IGNORECASE,
)
# Most texts have nothing of what each of the three above needs.
SUSPECT = re.compile(r"[@\d]")
SHORTEST_LONG_INTEGER = 10**12
UNMASKED = {"timestamp", "level", "logger", "request_id"}
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def mask(text: str) -> str:
    """Return the text without e-mail addresses and with the last four of long numbers only."""
    if SUSPECT.search(text) is None:
        return text
    text = EMAIL.sub("[e-mail]", text)
    text = IBAN.sub(lambda found: "****" + found[0][-4:], text)
    return LONG_NUMBER.sub(_without_number, text)


def _without_number(found: re.Match[str]) -> str:
    return found[0] if found["id"] else "****" + found[0].replace("-", "")[-4:]


def mask_personal_data(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Mask every value of the event, whatever its depth."""
    return {key: value if key in UNMASKED else _masked(value) for key, value in event.items()}


def _masked(value: object) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, bool | float | None):
        return value
    if isinstance(value, int):
        return mask(str(value)) if abs(value) >= SHORTEST_LONG_INTEGER else value
    if isinstance(value, dict):
        return {_masked(key): _masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(each) for each in value]
    return mask(str(value))


class _CurrentStream(logging.StreamHandler[TextIO]):
    """Writes to what is stdout or stderr at that moment, as tests and supervisors replace them."""

    def __init__(self, name: str) -> None:
        logging.Handler.__init__(self)
        self._stream_name = name

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there, looked up here
        found: TextIO = getattr(sys, self._stream_name)
        return found

    def write(self, line: str) -> None:
        """Write a line that structlog has rendered, between the records of everybody else."""
        self.acquire()
        try:
            stream = self.stream
            stream.write(line + "\n")
            stream.flush()
        except Exception:  # noqa: BLE001  as for a record: a broken log breaks no request
            self.handleError(logging.makeLogRecord({"msg": line}))
        finally:
            self.release()


class _Lines:
    """What structlog's loggers write to: their lines take no way through records."""

    def __init__(self, handler: _CurrentStream, name: str = "") -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = handler.write


def configure() -> None:
    """Send structlog's lines and the standard library's records to one place, in one form.

    On a terminal they are written for a person, and not as JSON. A command's stdout is its result,
    so its log goes to stderr, and a person who runs one sees warnings only.
    """
    is_command = click.get_current_context(silent=True) is not None
    stream = sys.stderr if is_command else sys.stdout
    for_person = stream.isatty()
    handler = _CurrentStream("stderr" if is_command else "stdout")
    last = _last(for_person=for_person)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=_first(),
        )
    )
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, _CurrentStream)]
    root.addHandler(handler)
    root.setLevel(logging.WARNING if is_command and for_person else logging.INFO)
    for name, level in FOREIGN_LOGGERS.items():
        foreign = logging.getLogger(name)
        foreign.handlers, foreign.propagate = [], True
        foreign.setLevel(level)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[*_first(), *last],
        logger_factory=partial(_Lines, handler),
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
    )


def _first() -> list[Processor]:
    return [
        merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _last(*, for_person: bool) -> list[Processor]:
    shared: list[Processor] = [structlog.processors.format_exc_info, mask_personal_data]
    return [*shared, structlog.dev.ConsoleRenderer() if for_person else _as_json]


def _as_json(_logger: object, _method: str, event: EventDict) -> str:
    # Once it is masked, an event has nothing that JSON could not carry.
    return _ENCODER.encode(event)


def _begin_request() -> None:
    clear_contextvars()
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    request_id = given if REQUEST_ID.fullmatch(given) else str(uuid4())
    g.request_id, g.started_at = request_id, perf_counter()
    bind_contextvars(request_id=request_id)


def _end_request(response: Response) -> Response:
    asked: Request = request_ctx.request
    response.headers["X-Request-ID"] = g.request_id
    write = log.debug if asked.endpoint in QUIET_ENDPOINTS else log.info
    write(
        "request",
        method=method_of(asked),
        route=asked.url_rule.rule if asked.url_rule else None,
        status=response.status_code,
        duration_ms=round((perf_counter() - g.started_at) * 1000, 1),
    )
    return response


def method_of(asked: Request) -> str:
    """Return the request's method; the caller may send any word, of any length."""
    return asked.method if asked.method in METHODS else "other"


def bind(**context: object) -> None:
    """Add to every later line of this request or task, such as `user_id`."""
    bind_contextvars(**context)


def init_app(app: Flask) -> None:
    """Give each request an id and one line."""
    configure()
    app.before_request(_begin_request)
    app.after_request(_end_request)
