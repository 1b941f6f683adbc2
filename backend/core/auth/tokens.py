"""The API's tokens: JWTs signed with Ed25519, several keys by `kid`, and how they are refused."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask, Response, current_app, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt,
    set_refresh_cookies,
    unset_refresh_cookies,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import CSRFError, NoAuthorizationError
from jwt import InvalidTokenError

from backend.core.auth.current import current_identity, remember
from backend.core.auth.identities import Identity, Proof, resolve
from backend.core.auth.keys import Keys, read_keys
from backend.core.config import Settings, current_settings
from backend.core.errors import Unauthenticated, answer

AUDIENCE = "quintet"
REFRESH_TOKEN_AGE = timedelta(days=14)
# Headers by which a token would name the key or the rules that it is to be checked with.
FOREIGN_HEADERS = {"crit", "jku", "jwk", "x5c", "x5u"}


class TokenMissing(Unauthenticated):
    """No token was sent. Sign in at /api/auth/login, and send the access token as `Bearer …`."""


class RefreshTokenMissing(Unauthenticated):
    """No refresh token was sent. Send it in the body, or its cookie with an X-CSRF-TOKEN header."""


class TokenExpired(Unauthenticated):
    """The token has expired. Get a new access token from /api/auth/refresh, or sign in again."""

    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class TokenRefused(Unauthenticated):
    """The token does not hold. It may be malformed, of another kind, or revoked. Sign in again."""

    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An access token and the refresh token that replaces both."""

    access: str
    refresh: str
    expires_in: int
    refresh_expires_at: datetime

    @property
    def refresh_hash(self) -> bytes:
        """What is kept of the refresh token."""
        return token_hash(self.refresh)


@dataclass(frozen=True, kw_only=True)
class Presented:
    """A refresh token that was sent and holds by itself; whether it was used is the table's."""

    proof: Proof
    family: UUID
    hash: bytes
    is_cookie: bool


def token_hash(encoded: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(encoded.encode()).digest()


def issue(*, user_id: UUID, family: UUID, signed_in_at: int, expires_at: datetime) -> Pair:
    """Sign a pair of tokens for a person who signed in at that moment (microseconds since 1970)."""
    claims = {"sid": str(family), "signed_in_at": signed_in_at}
    refresh_claims = claims | {"exp": expires_at}
    return Pair(
        access=create_access_token(str(user_id), additional_claims=claims),
        refresh=create_refresh_token(str(user_id), additional_claims=refresh_claims),
        expires_in=int(current_settings().access_token_age.total_seconds()),
        refresh_expires_at=expires_at,
    )


def verify_access() -> Identity | None:
    """Return whom the access token in the Authorization header proves.

    The library's errors leave as problems by the loaders below.
    """
    verify_jwt_in_request(locations=["headers"])
    return current_identity()


def presented_refresh_token() -> Presented:
    """Return the refresh token of the body, else of the cookie with its CSRF header."""
    body = request.get_json(silent=True) if request.is_json else None
    encoded = body.get("refresh_token") if isinstance(body, dict) else None
    is_cookie = encoded is None
    if not is_cookie and not isinstance(encoded, str):
        raise TokenRefused("The refresh token is a text.")
    try:
        verify_jwt_in_request(refresh=True, locations=["cookies" if is_cookie else "json"])
    except (NoAuthorizationError, CSRFError):
        raise RefreshTokenMissing from None
    if is_cookie:
        encoded = request.cookies[current_app.config["JWT_REFRESH_COOKIE_NAME"]]
    claims = get_jwt()
    return Presented(
        proof=_proof(claims),
        family=UUID(claims["sid"]),
        hash=token_hash(str(encoded)),
        is_cookie=is_cookie,
    )


def keep_in_cookie(response: Response, pair: Pair) -> Response:
    """Give the browser the refresh token where no script reads it."""
    set_refresh_cookies(response, pair.refresh, int(REFRESH_TOKEN_AGE.total_seconds()))
    return response


def forget_cookie(response: Response) -> Response:
    """Take the refresh token from the browser."""
    unset_refresh_cookies(response)
    return response


def _proof(claims: dict[str, Any]) -> Proof:
    try:
        return Proof(
            user_id=UUID(str(claims["sub"])),
            signed_in_at=int(claims["signed_in_at"]),
            ids=(UUID(str(claims["jti"])), UUID(str(claims["sid"]))),
        )
    except (KeyError, TypeError, ValueError):
        raise TokenRefused("A claim is missing.") from None


def init_app(app: Flask) -> None:
    """Set up the library: what it signs, what it accepts, and that it answers with problems."""
    settings: Settings = app.extensions["settings"]
    app.config.update(_tokens_settings(settings), **_cookies_settings(is_local=settings.is_local))
    manager = JWTManager(app)
    _load_keys(manager, read_keys(settings))
    _answer_with_problems(manager)
    manager.token_in_blocklist_loader(_is_refused)


def _tokens_settings(settings: Settings) -> dict[str, object]:
    return {
        "JWT_ACCESS_TOKEN_EXPIRES": settings.access_token_age,
        "JWT_ALGORITHM": "EdDSA",
        "JWT_DECODE_ALGORITHMS": ["EdDSA"],
        "JWT_DECODE_AUDIENCE": AUDIENCE,
        "JWT_DECODE_ISSUER": settings.public_url,
        "JWT_DECODE_LEEWAY": 5,  # The machines' clocks differ a little.
        "JWT_ENCODE_AUDIENCE": AUDIENCE,
        "JWT_ENCODE_ISSUER": settings.public_url,
        "JWT_REFRESH_TOKEN_EXPIRES": REFRESH_TOKEN_AGE,
        # Each view names the one place in which it looks.
        "JWT_TOKEN_LOCATION": ["headers", "cookies"],
    }


def _cookies_settings(*, is_local: bool) -> dict[str, object]:
    """Name and bind the cookies; some browsers refuse secure ones on a machine of one's own."""
    return {
        "JWT_COOKIE_SAMESITE": "Strict",
        "JWT_COOKIE_SECURE": not is_local,
        "JWT_REFRESH_COOKIE_NAME": "quintet-refresh" if is_local else "__Secure-quintet-refresh",
        "JWT_REFRESH_COOKIE_PATH": "/api/auth",
        "JWT_REFRESH_CSRF_COOKIE_NAME": "quintet-csrf" if is_local else "__Host-quintet-csrf",
    }


def _load_keys(manager: JWTManager, keys: Keys) -> None:
    manager.encode_key_loader(lambda _subject: keys.signing)
    manager.additional_headers_loader(lambda _subject: {"kid": keys.kid})

    @manager.decode_key_loader
    def find_key(header: dict[str, Any], _claims: dict[str, Any]) -> Ed25519PublicKey:
        if FOREIGN_HEADERS & header.keys():
            raise InvalidTokenError("The token brings its own key.")
        key = keys.accepted.get(str(header.get("kid")))
        if key is None:
            raise InvalidTokenError("The token's key is not known.")
        return key


def _is_refused(_header: dict[str, Any], claims: dict[str, Any]) -> bool:
    """Read the person at the same time as the list of revoked tokens, in one query."""
    remember(resolve(_proof(claims)))
    return current_identity() is None


def _answer_with_problems(manager: JWTManager) -> None:
    def missing(_reason: str) -> Response:
        return answer(TokenMissing())

    def expired(_header: object, _claims: object) -> Response:
        return answer(TokenExpired())

    def refused(*_reasons: object) -> Response:
        return answer(TokenRefused())

    manager.unauthorized_loader(missing)
    manager.expired_token_loader(expired)
    manager.invalid_token_loader(refused)
    manager.needs_fresh_token_loader(refused)
    manager.revoked_token_loader(refused)
    manager.token_verification_failed_loader(refused)
    manager.user_lookup_error_loader(refused)
