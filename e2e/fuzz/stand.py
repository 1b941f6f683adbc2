"""The platform on throw-away data, served as `make run` serves it."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

from backend.app import create_app
from backend.core import migrations
from backend.core.database import transaction
from backend.domains.identity.services import people
from environments.local import places, processes, servers, testing

PASSWORD = "quintet-fuzz"  # noqa: S105  of people who exist for some minutes
SECONDS = 60
# By the name that the configuration knows them by. All share the password.
PEOPLE = {"staff": "staff@quintet.test", "second": "second@quintet.test"}


class NotServed(Exception):
    """The server ended, or did not answer in time; the message is what it wrote."""


@contextmanager
def database(folder: Path) -> Iterator[dict[str, str]]:
    """Make a throw-away database with the demonstration, and yield the variables that name it."""
    with testing.server(), testing.database(_migrate) as copy:
        variables = {
            "DATABASE_URL": copy.url,
            "QUINTET_DATABASE_OWNER_URL": copy.owner_url,
            "QUINTET_DEMO_PASSWORD": PASSWORD,
            "QUINTET_ENVIRONMENT": "local",
            "QUINTET_FILES_URL": str(folder / "files"),
        }
        servers.quintet("demo", variables=variables)
        _invent(copy.url)
        yield variables


@contextmanager
def served(kind: str, variables: dict[str, str]) -> Iterator[str]:
    """Serve the platform of that kind (see `run_api`) as `make run` does, and yield its address.

    :raises NotServed: when it does not start
    """
    port = processes.free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "e2e.fuzz.run_api", str(port), kind]
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  our own command
            command,
            cwd=places.CHECKOUT,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _await(address, process, Path(log.name))
            yield address
        finally:
            process.terminate()
            process.wait()


def person(name: str) -> dict[str, Any]:
    """Return how one of the people signs in, in the words of Web Fuzzing Commons."""
    return {
        "name": name,
        "loginEndpointAuth": {
            "verb": "POST",
            "endpoint": "/api/auth/login",
            "contentType": "application/json",
            "payloadUserPwd": {
                "usernameField": "email",
                "passwordField": "password",
                "username": PEOPLE[name],
                "password": PASSWORD,
            },
            "token": {
                "extractFrom": "body",
                "extractSelector": "/data/access_token",
                "sendIn": "header",
                "sendName": "Authorization",
                "sendTemplate": "Bearer {token}",
            },
        },
    }


def _invent(database_url: str) -> None:
    """Add the one of the people whom the demonstration does not know."""
    app = create_app(database_url=database_url)
    with app.app_context(), transaction():
        people.create(
            email=PEOPLE["second"], name="S", roles=["staff"], password=PASSWORD, actor_id=None
        )


def _migrate(**urls: str) -> None:
    create_app(database_url=urls["application_url"])
    migrations.migrate(**urls)


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(requests.RequestException):
            if requests.get(f"{address}/readyz", timeout=5).ok:
                return
        time.sleep(0.1)
    raise NotServed(log.read_text(errors="replace")[-3000:])
