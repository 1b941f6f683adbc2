"""Who is asking: found once for each request, at the door that the request came through."""

from flask import has_request_context, request

from backend.core import logs
from backend.core.auth import sessions
from backend.core.auth.identities import Identity
from backend.core.errors import Unauthenticated

_RESOLVED = "quintet.identity"


def remember(identity: Identity | None) -> None:
    """Keep for the rest of this request who is asking."""
    request.environ[_RESOLVED] = identity
    if identity is not None:
        logs.bind(user_id=str(identity.user_id))


def current_identity() -> Identity | None:
    """Return who is asking, or none: nobody is signed in, or no request is being answered.

    Inside the API it is whom the token proved. Everywhere else the session cookie is read, also on
    public pages and on errors' pages.
    """
    if not has_request_context():
        return None
    if _RESOLVED not in request.environ:
        is_api = request.path == "/api" or request.path.startswith("/api/")
        remember(None if is_api else sessions.load())
    identity: Identity | None = request.environ[_RESOLVED]
    return identity


def required_identity() -> Identity:
    """Return who is asking.

    :raises Unauthenticated: when nobody is signed in
    """
    identity = current_identity()
    if identity is None:
        raise Unauthenticated
    return identity
