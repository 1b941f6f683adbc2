"""Rate limits: how often somebody may sign in and write; they give way when their store is gone."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_limiter import Limiter, RequestLimit
from flask_limiter.util import get_remote_address

from backend.core.auth import current_identity
from backend.core.config import Settings
from backend.core.errors import TooManyRequests, answer

SIGN_IN_BY_NAME = "10 per 5 minutes"
SIGN_IN_BY_ADDRESS = "100 per 5 minutes"
WRITES = "600 per minute"
READS_ONLY = {"GET", "HEAD", "OPTIONS", "QUERY"}
PATIENCE = timedelta(milliseconds=300)

View = TypeVar("View", bound=Callable[..., Any])


def person_or_address() -> str:
    """Return whom a limit counts: the person who is signed in, else the address."""
    identity = current_identity()
    return str(identity.user_id) if identity else get_remote_address()


def name_and_address() -> str:
    """Return whom the narrow limit of signing in counts: this name from this address."""
    body = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    name = body.get("email", "") if isinstance(body, dict) else ""
    return f"{get_remote_address()}|{str(name).strip().lower()[:254]}"


limiter = Limiter(
    person_or_address,
    application_limits=[WRITES],
    application_limits_exempt_when=lambda: request.method in READS_ONLY,
    on_breach=_refuse,
    strategy="moving-window",
    in_memory_fallback_enabled=True,
    swallow_errors=True,
)


def limit_sign_in(view: View) -> View:
    """Limit how often a view that checks passwords is asked, by address and by name."""
    by_name = limiter.limit(SIGN_IN_BY_NAME, key_func=name_and_address, methods=["POST"])
    by_address = limiter.limit(SIGN_IN_BY_ADDRESS, key_func=get_remote_address, methods=["POST"])
    return by_name(by_address(view))  # type: ignore[return-value]  # it takes and gives the same


def _refuse(limit: RequestLimit) -> Response:
    wait = max(1, round(limit.reset_at - time.time()))
    response = answer(TooManyRequests(f"It is {limit.limit}. Go on in {wait} seconds."))
    response.headers["Retry-After"] = str(wait)
    return response


def init_app(app: Flask) -> None:
    """Count in Valkey if there is one, so that all processes count together, else in memory."""
    settings: Settings = app.extensions["settings"]
    app.config.update(
        RATELIMIT_STORAGE_URI=_storage(settings.limits_url),
        RATELIMIT_STORAGE_OPTIONS=_options() if settings.limits_url else {},
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
    )
    limiter.init_app(app)


def _storage(url: str) -> str:
    """Name the protocol as the library does."""
    return f"valkey://{url.partition('://')[2]}" if urlsplit(url).scheme else "memory://"


def _options() -> dict[str, float]:
    seconds = PATIENCE.total_seconds()
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds}
