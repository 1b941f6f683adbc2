"""Rate limits: how often somebody may sign in and write; they give way when their store is gone."""

from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem

from backend.core import auth
from backend.core.config import current_settings
from backend.core.errors import DomainError

LOGIN_BY_NAME = "10 per 5 minutes"
LOGIN_BY_ADDRESS = "100 per 5 minutes"
WRITES = "600 per minute"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "QUERY"}


class TooManyRequests(DomainError):
    """You asked too often. Wait as long as Retry-After says, and go on more slowly."""

    status = 429


def person_or_address() -> str:
    """Return whom a limit counts: the person who is signed in, else the address."""
    identity = auth.current_identity()
    return str(identity.user_id) if identity else get_remote_address()


def name_and_address() -> str:
    """Return whom a limit of signing in counts: this name from this address."""
    body = request.get_json(silent=True) if request.is_json else request.form
    name = body.get("email", "") if hasattr(body, "get") else ""
    return f"{get_remote_address()}|{str(name).strip().lower()[:254]}"


limiter = Limiter(
    person_or_address,
    strategy="moving-window",
    headers_enabled=False,
    in_memory_fallback_enabled=True,
    swallow_errors=True,
)


def login_limits() -> object:
    """Return the limits of a view that signs people in, as its decorator."""
    by_name = limiter.shared_limit(LOGIN_BY_NAME, scope="login-name", key_func=name_and_address)
    by_address = limiter.shared_limit(LOGIN_BY_ADDRESS, scope="login-address", key_func=get_remote_address)
    return lambda view: by_name(by_address(view))
