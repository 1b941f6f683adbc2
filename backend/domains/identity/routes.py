"""Signing in over HTTP: tokens for programs, and for the browser application."""

from typing import Any

from flask import after_this_request

from backend.core import auth, limits
from backend.core.auth import ApiBlueprint, Identity, tokens
from backend.core.errors import Unauthenticated
from backend.domains.identity.schemas import (
    MeAnswerSchema,
    RefreshSchema,
    SignInSchema,
    TokensAnswerSchema,
)
from backend.domains.identity.services import directory, sessions  # noqa: F401  it registers itself

blueprint = ApiBlueprint(
    "identity", __name__, url_prefix="/auth", description="People, and signing in"
)


class SignInRefused(Unauthenticated):
    """The e-mail address or the password is wrong. Try again, or reset it at /password-reset."""


@blueprint.post("/login")
@blueprint.arguments(SignInSchema)
@blueprint.response(200, TokensAnswerSchema)
@blueprint.alt_response(401, "UNAUTHORIZED")
@blueprint.alt_response(429, "TOO_MANY_REQUESTS")
@blueprint.doc(security=[])
@auth.public
@limits.limited("password")
def create_tokens(credentials: dict[str, Any]) -> dict[str, Any]:
    """Sign in.

    The access token goes into the header `Authorization: Bearer …`; before it expires, the refresh
    token gets the next pair.
    """
    signed_in = sessions.sign_in(
        email=credentials["email"], password=credentials["password"], door="api"
    )
    if signed_in is None:
        raise SignInRefused
    pair = sessions.open_family(signed_in=signed_in)
    return _tokens(pair, is_cookie=credentials["remember"])


@blueprint.post("/refresh")
@blueprint.arguments(RefreshSchema, required=False)
@blueprint.response(200, TokensAnswerSchema)
@blueprint.alt_response(401, "UNAUTHORIZED")
@blueprint.doc(security=[])
@auth.public
def replace_tokens(_body: dict[str, Any]) -> dict[str, Any]:
    """Get the next pair of tokens for a refresh token.

    A refresh token is used once. When it is seen again, everything that followed from its sign-in
    ends. One in the cookie needs the value of the CSRF cookie in the header `X-CSRF-TOKEN`.
    """
    presented = tokens.presented_refresh_token()
    return _tokens(sessions.refresh(presented=presented), is_cookie=presented.is_cookie)


@blueprint.post("/logout")
@blueprint.arguments(RefreshSchema, required=False)
@blueprint.response(204)
@blueprint.alt_response(401, "UNAUTHORIZED")
@blueprint.doc(security=[])
@auth.public
def end_tokens(_body: dict[str, Any]) -> None:
    """Sign out.

    The refresh token, and the access tokens that came with it, hold no longer.
    """
    presented = tokens.presented_refresh_token()
    sessions.sign_out(session_id=presented.family, user_id=presented.proof.user_id)
    if presented.is_cookie:
        after_this_request(tokens.forget_cookie)


@blueprint.get("/me")
@blueprint.response(200, MeAnswerSchema)
@blueprint.alt_response(401, "UNAUTHORIZED")
def show_me() -> dict[str, Identity]:
    """Show whom the access token proves, and the roles of this moment."""
    return {"data": auth.required_identity()}


def _tokens(pair: tokens.Pair, *, is_cookie: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"access_token": pair.access, "expires_in": pair.expires_in}
    if is_cookie:
        after_this_request(lambda response: tokens.keep_in_cookie(response, pair))
    else:
        data["refresh_token"] = pair.refresh
    return {"data": data}
