"""Build the web application: settings, the core, then the doors of every domain."""

import os
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from flask import Blueprint, Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from backend.core import (
    audit,
    auth,
    database,
    demonstration,
    docs,
    errors,
    health,
    history,
    idempotency,
    limits,
    logs,
    mailbox,
    metrics,
    migrations,
    outbox,
    pages,
    security,
)
from backend.core.api import Api
from backend.core.collections import catalogue
from backend.core.config import Settings
from backend.core.operations import Operations
from backend.core.outbox import collections as outbox_collections

DOMAINS = (
    "identity",
    "flows",
    "expenses",
)

EXTENSIONS = (
    logs,
    database,
    migrations,
    errors,
    security,
    audit,
    auth,
    limits,
    pages,
    docs,
    health,
    metrics,
    outbox,
    history,
    idempotency,
    mailbox,
    demonstration,
)


def create_app(**overrides: object) -> Flask:
    """Return the application, set up from the environment and any overrides.

    Names in lower case override fields of the settings, names in upper case Flask's configuration.

    :raises InvalidSettings: when a setting is missing, malformed or unsafe
    """
    app = Flask(__name__, static_folder=None, template_folder="core/templates")
    settings = {name: value for name, value in overrides.items() if name.islower()}
    app.extensions["settings"] = Settings.from_environment(os.environ, **settings)
    app.config.update(
        API_TITLE="Quintet",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        SECRET_KEY=app.extensions["settings"].secret_key,
        MAX_CONTENT_LENGTH=256 * 1024,
        MAX_FORM_MEMORY_SIZE=256 * 1024,
    )
    app.config.update({name: value for name, value in overrides.items() if name.isupper()})
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    if hops := app.extensions["settings"].proxy_hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask documents this
    # Flask asks of each function, at each call, whether it is a coroutine.
    app.ensure_sync = lru_cache(maxsize=1024)(app.ensure_sync)  # type: ignore[method-assign]  # as with ProxyFix
    for extension in EXTENSIONS:
        extension.init_app(app)
    _open_doors(app)
    database.guard_views(app)
    database.guard_commands(app.cli)
    return app


def _open_doors(app: Flask) -> None:
    """Register what each domain offers; a domain has only the doors it needs."""
    api = Api(app, spec_kwargs={"extra_plugins": [Operations(app)]})
    api.register_blueprint(catalogue.blueprint, url_prefix="/api/collections")
    api.register_blueprint(outbox_collections.api, url_prefix="/api/outbox")
    api.register_blueprint(history.api, url_prefix="/api/audit")
    for domain in DOMAINS:
        _module(domain, "models")
        _module(domain, "tasks")
        if routes := _module(domain, "routes"):
            api.register_blueprint(
                routes.blueprint, url_prefix="/api" + (routes.blueprint.url_prefix or f"/{domain}")
            )
        offered = getattr(_module(domain, "collections"), "blueprint", None)
        if offered is not None:
            api.register_blueprint(offered, url_prefix=f"/api/{domain}")
        if pages_ := _module(domain, "pages"):
            _register(app, pages_.blueprint, f"/{domain}")
        if console := _module(domain, "console"):
            _register(app, console.blueprint, f"/admin/{domain}")
        if commands := _module(domain, "commands"):
            app.cli.add_command(commands.commands)


def _register(app: Flask, blueprint: Blueprint, prefix: str) -> None:
    own = blueprint.url_prefix
    app.register_blueprint(blueprint, url_prefix=prefix if own is None else own)


def _module(domain: str, name: str) -> Any:
    path = f"backend.domains.{domain}.{name}"
    return import_module(path) if find_spec(path) else None
