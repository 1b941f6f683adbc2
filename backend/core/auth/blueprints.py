"""The two kinds of door: the API, which takes tokens, and pages, which take the session cookie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import flask
from flask import Flask, current_app, flash, redirect, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.wrappers import Response

from backend.core import api, audit, database, errors
from backend.core.auth import tokens
from backend.core.auth.current import current_identity, remember, required_identity
from backend.core.auth.identities import Identity
from backend.core.auth.paths import local_path
from backend.core.config import Settings, current_settings
from backend.core.errors import DomainError, Forbidden

View = TypeVar("View", bound=Callable[..., Any])

API_SPEC_OPTIONS = {
    "security": [{"accessToken": []}],
    "components": {
        "securitySchemes": {
            "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        }
    },
}

_csrf = CSRFProtect()


class FormRefused(DomainError):
    """The form is too old, or came from elsewhere. Open our page again, and send it from there."""


class RoleMissing(Forbidden):
    """You may not enter here. It needs a role that you do not have; staff can give it to you."""


@dataclass(frozen=True)
class Entry:
    """What a blueprint offers people: a line of the navigation, the start page or the console."""

    title: str
    endpoint: str
    description: str


Openness = bool | Callable[[Settings], bool]


class _Openable:
    """Knows whether everybody may enter, which a setting may decide."""

    openness: Openness

    @property
    def public(self) -> bool:
        """Whether everybody may enter."""
        if isinstance(self.openness, bool):
            return self.openness
        return self.openness(current_settings())


class ApiBlueprint(_Openable, api.Blueprint):
    """A part of the JSON API. Its views need an access token in the Authorization header.

    `public` opens all of them, the decorator `public` one; `role` is needed beside the token. One
    view that needs a role of its own, whatever its blueprint says, has the decorator `reserved`.
    """

    def __init__(
        self,
        name: str,
        import_name: str,
        *,
        public: Openness = False,
        role: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, import_name, **options)
        self.openness = public
        self.role = role

    def admit(self) -> None:
        """Let the request pass if its token proves somebody who may enter.

        :raises Unauthenticated: without a valid access token
        :raises RoleMissing: without the role
        """
        if is_open(self, _view()):
            remember(None)
            return
        remember(tokens.verify_access())
        rule = request.url_rule
        if request.method != "OPTIONS" or not getattr(rule, "provide_automatic_options", False):
            required_identity()  # The library lets every OPTIONS pass, even to a view.
        _require_role(self)


class PageBlueprint(_Openable, flask.Blueprint):
    """Pages for people. Its views need the session cookie, and send whoever has none to sign in."""

    def __init__(
        self,
        name: str,
        import_name: str,
        *,
        public: Openness = False,
        role: str | None = None,
        entries: Sequence[Entry] = (),
        **options: Any,
    ) -> None:
        super().__init__(name, import_name, **options)
        self.openness = public
        self.role = role
        self.entries = tuple(entries)

    def admit(self) -> Response | None:
        """Let the request pass if its cookie proves somebody who may enter, else send them away.

        :raises RoleMissing: without the role
        """
        if is_open(self, _view()):
            return None
        if current_identity() is None:
            return _send_to_sign_in()
        _require_role(self)
        return None


def public(view: View) -> View:
    """Open one view of a blueprint to everybody. It stands directly above the function."""
    view.is_public = True  # type: ignore[attr-defined]  # functions take attributes
    return view


def reserved(role: str) -> Callable[[View], View]:
    """Keep one view of a blueprint, even of a public one, for those with the role."""

    def mark(view: View) -> View:
        view.role = role  # type: ignore[attr-defined]  # functions take attributes
        return view

    return mark


def may_enter(blueprint: ApiBlueprint | PageBlueprint, identity: Identity | None = None) -> bool:
    """Whether the person (who is asking, unless given) may enter the blueprint."""
    if blueprint.public:
        return True
    person = identity or current_identity()
    return person is not None and (blueprint.role is None or person.has(blueprint.role))


def is_open(blueprint: ApiBlueprint | PageBlueprint, view: object) -> bool:
    """Whether everybody may call this view of the blueprint."""
    if getattr(view, "role", None):
        return False
    return blueprint.public or getattr(view, "is_public", False)


def role_for(blueprint: ApiBlueprint | PageBlueprint, view: object) -> str | None:
    """Return the role that this view of the blueprint needs."""
    role: str | None = getattr(view, "role", None) or blueprint.role
    return role


def _view() -> Any:
    return current_app.view_functions.get(request.endpoint or "")


def _require_role(blueprint: ApiBlueprint | PageBlueprint) -> None:
    identity = current_identity()
    if is_open(blueprint, _view()) or identity is None:
        return
    role = role_for(blueprint, _view())
    if role is not None and not identity.has(role):
        raise RoleMissing(f"It needs the role “{role}”.")


def sign_in_address(target: str) -> str:
    """Return the address of the page that signs in and leads to the target."""
    return f"/login?next={quote(target, safe='/')}"


def _send_to_sign_in() -> Response:
    """Lead back to the page, or to the one whose form was sent; what it held is not kept."""
    if request.method in {"GET", "HEAD"}:
        target = request.full_path if request.query_string else request.path
        return redirect(sign_in_address(target))
    page = page_before()
    if page is None:
        return redirect("/login")
    flash(
        "You were signed out meanwhile, and what you sent was not done. Sign in again.", "warning"
    )
    return redirect(sign_in_address(page))


def page_before() -> str | None:
    """Return the page whose form was sent, or none when it was not one of ours.

    Another site's form comes without the session cookie; a cookie written in the answer would
    replace it, and sign the person out.
    """
    page = urlsplit(request.referrer or "")
    if page.netloc != request.host:
        return None
    return local_path(f"{page.path}?{page.query}" if page.query else page.path)


def _admit() -> Response | None:
    """Check the person first, and only then read a form's body for its CSRF token."""
    blueprint = current_app.blueprints.get(request.blueprint or "")
    if isinstance(blueprint, ApiBlueprint):
        blueprint.admit()
        return None
    if isinstance(blueprint, PageBlueprint) and (elsewhere := blueprint.admit()):
        return elsewhere
    if request.endpoint is not None and current_app.config["WTF_CSRF_ENABLED"]:
        try:
            _csrf.protect()
        except CSRFError:
            raise FormRefused from None
    return None


def _answer_forbidden(error: Forbidden) -> Response:
    """Record whoever tried what they may not do; what they tried is rolled back already."""
    identity = current_identity()
    with database.transaction():
        audit.record(
            action="auth.refuse",
            actor_id=identity.user_id if identity else None,
            object_type="endpoint",
            object_id=request.endpoint,
            after={"problem": error.code},
        )
    return errors.answer(error)


def init_app(app: Flask) -> None:
    """Ask every request at the door; the CSRF check waits until then."""
    app.register_error_handler(Forbidden, _answer_forbidden)
    app.config.update(
        API_SPEC_OPTIONS=API_SPEC_OPTIONS,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=8 * 3600,
    )
    _csrf.init_app(app)
    app.before_request(_admit)
