"""The API as it is deployed, which a test can have die after its commit and before its answer."""

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse

from flask import Flask

from backend import app as quintet
from backend.core.outbox.crashes import crash_point


def create_app() -> Flask:
    """Return the application; nothing of an answer has been sent when its end is passed."""
    app = quintet.create_app()
    inner = app.wsgi_app

    def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        response = inner(environ, start_response)
        crash_point(f"answered-{environ['REQUEST_METHOD'].lower()}")
        return response

    app.wsgi_app = answer  # type: ignore[method-assign]  # Flask documents this
    return app
