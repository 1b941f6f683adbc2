"""Which request a job belongs to, carried from the browser to the worker's log."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from flask import g, has_request_context, request
from structlog.contextvars import bound_contextvars, get_contextvars

TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

# The log calls the person `user_id`; a job says who acted, since it may act on somebody else.
LOG_NAMES = {"request_id": "request_id", "traceparent": "traceparent", "user_id": "actor_id"}


def current() -> dict[str, str]:
    """Return the ids of the present request, or of the job that is being run."""
    context = get_contextvars()
    trace = {ours: str(context[name]) for name, ours in LOG_NAMES.items() if context.get(name)}
    if has_request_context():
        parent = request.headers.get("traceparent", "")
        if TRACEPARENT.fullmatch(parent):
            trace["traceparent"] = parent
    return trace


@contextmanager
def bound(trace: Mapping[str, str], **context: str | int) -> Iterator[None]:
    """Put the ids, and more context, into every line that the block logs."""
    ids = {name: trace[ours] for name, ours in LOG_NAMES.items() if ours in trace}
    before = g.get("request_id")
    g.request_id = trace.get("request_id")
    try:
        with bound_contextvars(**ids, **context):
            yield
    finally:
        g.request_id = before
