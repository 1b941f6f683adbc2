"""Metrics for those who watch: durations of requests, and gauges read from the database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Thread
from time import monotonic, perf_counter
from wsgiref.simple_server import WSGIServer

import structlog
from flask import Flask, Response, g
from flask.globals import request_ctx
from prometheus_client import CollectorRegistry, Gauge, Histogram, start_http_server

from backend.core import logs
from backend.core.config import Settings

log = structlog.get_logger(__name__)

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
QUIET_ENDPOINTS = {"healthz", "readyz", "static"}

Reading = float | Mapping[str, float]

registry = CollectorRegistry()
# Labels hold templates and classes, never ids, addresses or people.
REQUESTS = Histogram(
    "http_request_duration_seconds",
    "Duration of requests",
    ["route", "method", "status"],
    buckets=BUCKETS,
    registry=registry,
)


@dataclass(frozen=True)
class _Source:
    gauge: Gauge
    label: str | None
    read: Callable[[], Reading]


@dataclass
class _LastRead:
    """When the gauges were read last, or were first to be."""

    at: float | None = None

    def age(self) -> float:
        return monotonic() - self.at if self.at else 0.0


_sources: dict[str, _Source] = {}
_read = _LastRead()
# While the database is away the other gauges keep their last values, and this one tells.
Gauge(
    "gauges_age_seconds", "Seconds since the gauges were read from the database", registry=registry
).set_function(_read.age)


def gauge(
    name: str, meaning: str, read: Callable[[], Reading], *, label: str | None = None
) -> None:
    """Have the relay publish what `read` finds in the database: a number, or one for each label.

    Every relay publishes the same figures, so take their greatest and never their sum.
    """
    if name not in _sources:
        labels = [label] if label else []
        _sources[name] = _Source(Gauge(name, meaning, labels, registry=registry), label, read)


def refresh() -> None:
    """Read every gauge anew, in the present transaction."""
    _read.at = _read.at or monotonic()
    for source in _sources.values():
        found = source.read()
        if isinstance(found, Mapping):
            source.gauge.clear()
            for label, value in found.items():
                source.gauge.labels(label).set(value)
        else:
            source.gauge.set(found)
    _read.at = monotonic()


def serve(app: Flask) -> tuple[WSGIServer, Thread] | None:
    """Answer on the port of the settings, if one is set; 0 takes a free one.

    It starts a thread, so it is called after a server's fork.
    """
    settings: Settings = app.extensions["settings"]
    if settings.metrics_port is None:
        return None
    served = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    log.info("metrics", port=served[0].server_port)
    return served


def _begin() -> None:
    g.metrics_started_at = perf_counter()


def _end(response: Response) -> Response:
    started_at, asked = g.get("metrics_started_at"), request_ctx.request
    if started_at is not None and asked.endpoint not in QUIET_ENDPOINTS:
        route = asked.url_rule.rule if asked.url_rule else "none"
        method = logs.method_of(asked)
        status = f"{response.status_code // 100}xx"
        REQUESTS.labels(route, method, status).observe(perf_counter() - started_at)
    return response


def init_app(app: Flask) -> None:
    """Measure every request."""
    app.before_request(_begin)
    app.after_request(_end)
