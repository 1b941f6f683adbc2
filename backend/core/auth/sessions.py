"""The session cookie of pages and console: 8 hours after the last page, 7 days at most."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from flask import Flask, Request, Response, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

from backend.core.auth.identities import Identity, Proof, microseconds, resolve

SLIDING = timedelta(hours=8)
LONGEST = timedelta(days=7)
RENEWED_AFTER = timedelta(minutes=1)


class _Cookies(SecureCookieSessionInterface):
    """Reads and writes cookies for those who have one or get one; programs pay nothing for it."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return what the cookie holds, or an empty session."""
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the cookie, or take it away, if the view looked at the session at all."""
        if session or session.accessed or session.modified:
            super().save_session(app, session, response)


def start(*, user_id: UUID, session_id: UUID, signed_in_at: int) -> None:
    """Begin a session; whatever the cookie held before is gone."""
    session.clear()
    session.permanent = True
    session["user_id"] = str(user_id)
    session["session_id"] = str(session_id)
    session["signed_in_at"] = signed_in_at
    session["seen_at"] = _now()


def end() -> None:
    """Forget the session in this browser. That its id is refused from now on is the caller's."""
    session.clear()


def proof() -> Proof | None:
    """Return what the cookie proves, or none when there is none or it is too old."""
    try:
        found = Proof(
            user_id=UUID(str(session["user_id"])),
            signed_in_at=int(session["signed_in_at"]),
            ids=(UUID(str(session["session_id"])),),
        )
        seen_at = int(session["seen_at"])
    except (KeyError, TypeError, ValueError):
        return None
    now = _now()
    if now - seen_at > SLIDING // timedelta(microseconds=1):
        return None
    return None if now - found.signed_in_at > LONGEST // timedelta(microseconds=1) else found


def load() -> Identity | None:
    """Return whom the cookie proves, and renew it; a minute's delay saves most of the writing."""
    found = proof()
    identity = resolve(found) if found else None
    if identity and _now() - session["seen_at"] > RENEWED_AFTER // timedelta(microseconds=1):
        session["seen_at"] = _now()
    return identity


def _now() -> int:
    return microseconds(datetime.now(UTC))


def init_app(app: Flask) -> None:
    """Make the cookie one that scripts, other sites and plain HTTP never see."""
    app.session_interface = _Cookies()
    is_local = app.extensions["settings"].is_local
    app.config.update(
        PERMANENT_SESSION_LIFETIME=SLIDING,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_NAME="quintet" if is_local else "__Host-quintet",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=not is_local,
        SESSION_REFRESH_EACH_REQUEST=False,
    )
