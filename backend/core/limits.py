"""Rate limits: how often somebody may sign in, ask for e-mails and write.

The counts lie in Valkey, where all processes see them. While it does not answer, each process goes
on counting in its own memory: nobody waits for it, and nobody is let through for it.
"""

import hmac
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from time import time
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded, RequestLimit

from backend.core.auth import current_identity
from backend.core.config import Settings, current_settings
from backend.core.errors import TooManyRequests, answer

WRITES = "600 per minute"
# For each kind of view: how often for one name from one address, and how often from one address.
MARKED = {
    "password": ("10 per 5 minutes", "100 per 5 minutes"),
    "mail": ("5 per hour", "50 per hour"),
}
READING = {"GET", "HEAD", "OPTIONS", "QUERY"}
MINUTE = 60
PATIENCE = 0.25  # Seconds for each step towards Valkey.
LONGEST_NAME = 254

View = TypeVar("View", bound=Callable[..., object])


class _Writes(Limiter):
    """Looks at its limits for requests that count; what only reads is not even looked up."""

    def _check_request_limit(self, *arguments: Any, **options: Any) -> None:
        if _is_reading():
            return
        try:
            super()._check_request_limit(*arguments, **options)
        except RateLimitExceeded:
            raise
        except Exception:  # noqa: BLE001  whatever the storage raises
            # Another thread has just found Valkey away: this request counts in memory as well.
            self.context.seen_limits.clear()
            super()._check_request_limit(*arguments, **options)


def limited(kind: str) -> Callable[[View], View]:
    """Limit a public view by address and by the e-mail address that it is sent: see `MARKED`."""

    def mark(view: View) -> View:
        view.limit_kind = kind  # type: ignore[attr-defined]  # functions take attributes
        return view

    return mark


def only_reads(view: View) -> View:
    """Count no request for this view: whatever its method, it changes nothing."""
    view.only_reads = True  # type: ignore[attr-defined]  # functions take attributes
    return view


def _find_keys() -> None:
    """Find whom this request counts for, before any limit is looked at.

    An error in here is answered like any other. Inside, it would pass for one of Valkey's.
    """
    if _is_reading():
        return
    identity = current_identity()
    address = _network(request.remote_addr or "")
    g.limit_kind = getattr(_view(), "limit_kind", None)
    name = _name() if g.limit_kind else ""
    g.limit_keys = {
        "person": _key(f"person {identity.user_id}" if identity else f"address {address}"),
        "address": _key(f"address {address}"),
        "name": _key(f"name {address} {name}") if name else "",
    }


def _is_reading() -> bool:
    """Whether nothing counts this request, so that reading pays nothing for the limits."""
    return request.method in READING or getattr(_view(), "only_reads", False)


def _view() -> object:
    return current_app.view_functions.get(request.endpoint or "")


def _network(address: str) -> str:
    """Return the address, or the network in which one customer has all addresses of IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network((found, 64), strict=False))
    return str(found)


def _name() -> str:
    """Return the e-mail address that was sent; what cannot be read is refused by the view."""
    try:
        body = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    except RecursionError:
        return ""
    name = body.get("email") if isinstance(body, dict) else None
    return name.strip().lower()[:LONGEST_NAME] if isinstance(name, str) else ""


def _key(text: str) -> str:
    """Return what stands for the text in Valkey, where nobody's address is to be read."""
    return hmac.digest(current_settings().secret_key.encode(), text.encode(), "sha256").hex()[:32]


def _limits() -> list[str | Callable[[], str] | ApplicationLimit]:
    found: list[str | Callable[[], str] | ApplicationLimit] = [_limit(WRITES, "person", None)]
    for kind, (by_name, by_address) in MARKED.items():
        found += [_limit(by_name, "name", kind), _limit(by_address, "address", kind)]
    return found


def _limit(rate: str, key: str, kind: str | None) -> ApplicationLimit:
    """Return a limit that several views share: both doors of signing in count together."""

    def is_exempt() -> bool:
        return bool(kind and g.limit_kind != kind) or not g.limit_keys[key]

    return ApplicationLimit(
        rate,
        key_function=lambda: g.limit_keys[key],
        scope=f"{kind or 'writes'}-{key}",
        exempt_when=is_exempt,
    )


def _refuse(breached: RequestLimit) -> Response:
    wait = max(1, round(breached.reset_at - time()))
    pause = f"{wait} seconds" if wait < 2 * MINUTE else f"{ceil(wait / MINUTE)} minutes"
    response = answer(TooManyRequests(f"Wait {pause}, and then try again."))
    response.headers["Retry-After"] = str(wait)
    return response


def init_app(app: Flask) -> None:
    """Limit this application; each has a limiter of its own, so that tests can have several."""
    if not app.config.setdefault("RATELIMIT_ENABLED", True):
        return
    settings: Settings = app.extensions["settings"]
    app.before_request(_find_keys)
    limiter = _Writes(
        lambda: g.limit_keys["person"],
        application_limits=_limits(),
        on_breach=_refuse,
        strategy="moving-window",
        storage_uri=_storage(settings.limits_url),
        storage_options=_patience() if settings.limits_url else {},  # type: ignore[arg-type]  # fractions are taken
        in_memory_fallback_enabled=True,
        key_prefix="quintet",
    )
    limiter.init_app(app)
    # The library would end each request by writing headers, which are not asked of it, and by
    # emptying what ends with the request.
    app.after_request_funcs[None].pop()
    app.teardown_request_funcs[None].pop()


def _storage(url: str) -> str:
    """Name the protocol as the library wants it: `redis:` would ask for another client."""
    if not url:
        return "memory://"
    scheme, _, rest = url.partition("://")
    return f"{'valkeys' if scheme in {'rediss', 'valkeys'} else 'valkey'}://{rest}"


def _patience() -> dict[str, float]:
    return {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
