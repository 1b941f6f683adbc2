"""The API as it is deployed, which a test can have die after its commit and before its answer.

It notes whom it calls. That is heard from Python, as all clients of a broker are written in it.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse

from flask import Flask

from backend import app as quintet
from backend import serving
from backend.core.outbox.crashes import crash_point


def note_calls(event: str, arguments: tuple[Any, ...]) -> None:
    """Write down the port of each connection that is opened."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        with Path(sys.argv[2]).open("a") as calls:
            calls.write(f"{arguments[1][1]}\n")


def create_app() -> Flask:
    """Return the application; nothing of an answer has been sent when its end is passed."""
    sys.addaudithook(note_calls)
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
