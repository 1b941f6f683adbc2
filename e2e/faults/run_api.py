"""The API as it is deployed, which a test can have die after its commit and before its answer."""

import sys
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse

from flask import Flask

from backend import app as quintet
from backend import serving
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


if __name__ == "__main__":
    serving.serve(create_app, host="127.0.0.1", port=int(sys.argv[1]))
