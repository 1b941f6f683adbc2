"""Who is asking, and whether they may: it knows tokens, session cookies and blueprints, no domain.

A person is known to a view by `current_identity()`, filled once for each request from the token's
or the cookie's subject and the database, so that a right that was taken away ends at once.
"""

from flask import Flask

from backend.core.auth import blueprints, sessions, tokens
from backend.core.auth.blueprints import (
    ApiBlueprint,
    Entry,
    FormRefused,
    PageBlueprint,
    may_enter,
    page_before,
    public,
    reserved,
    sign_in_address,
)
from backend.core.auth.current import current_identity, required_identity
from backend.core.auth.identities import Account, Identity, register_accounts, register_loader
from backend.core.auth.paths import local_path

__all__ = [
    "Account",
    "ApiBlueprint",
    "Entry",
    "FormRefused",
    "Identity",
    "PageBlueprint",
    "current_identity",
    "init_app",
    "local_path",
    "may_enter",
    "page_before",
    "public",
    "register_accounts",
    "register_loader",
    "required_identity",
    "reserved",
    "sign_in_address",
]


def init_app(app: Flask) -> None:
    """Guard every blueprint of the application."""
    tokens.init_app(app)
    sessions.init_app(app)
    blueprints.init_app(app)
