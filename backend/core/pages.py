"""The pages around every page: layout, navigation, start page, console index, static files."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, redirect, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from backend.core import auth, formats
from backend.core.auth import Entry, Identity, PageBlueprint
from backend.core.database import db
from backend.core.errors import NotFound

STATIC = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"

blueprint = PageBlueprint("start", __name__, public=True, url_prefix="")
console = PageBlueprint("console", __name__, role="staff", url_prefix="/admin")


@dataclass(frozen=True)
class Link:
    """An entry as it is drawn."""

    title: str
    url: str
    description: str


class UnknownFile(NotFound):
    """There is no such file. Its name may have changed with a newer version of the application."""


def links(*, in_console: bool) -> list[Link]:
    """Return what the person may enter, of the console or outside it."""
    identity = _identity()
    found = []
    for each in current_app.blueprints.values():
        if not isinstance(each, PageBlueprint):
            continue
        if each.public or (identity and auth.may_enter(each, identity)):
            found += [_link(entry) for entry in each.entries]
    return [each for each in found if each.url.startswith("/admin/") is in_console]


def _link(entry: Entry) -> Link:
    return Link(title=entry.title, url=url_for(entry.endpoint), description=entry.description)


@blueprint.get("/")
def show_start() -> str:
    """Show what is here."""
    return render_template("start.html")


@console.get("/")
def show_console() -> str:
    """Show the sections of the staff console."""
    return render_template("console.html")


@lru_cache
def _fingerprint(path: Path, _modified: float) -> str:
    return sha256(path.read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """Return the address of a static file, with a name that changes with its content."""
    path = STATIC / name
    fingerprint = _fingerprint(path, path.stat().st_mtime)
    return url_for("static", name=f"{path.stem}.{fingerprint}{path.suffix}")


def _serve_static(name: str) -> AnyResponse:
    """Send a static file, to be kept for ever under the name that has its fingerprint."""
    stem, _, rest = name.partition(".")
    asked_for, _, suffix = rest.rpartition(".")
    path = STATIC / f"{stem}.{suffix}"
    if path.parent != STATIC or not path.is_file():
        raise UnknownFile(f"There is no {name}.")
    fingerprint = _fingerprint(path, path.stat().st_mtime)
    response = Response(path.read_bytes(), mimetype=guess_type(path.name)[0])
    response.set_etag(fingerprint)
    response.headers["Cache-Control"] = FOREVER if asked_for == fingerprint else "no-cache"
    return response.make_conditional(request)


def _favicon() -> AnyResponse:
    return redirect(asset("favicon.svg"))


def _identity() -> Identity | None:
    """Return who is signed in; nobody when even that cannot be found out, as on an error's page."""
    try:
        return auth.current_identity()
    except SQLAlchemyError:
        db.session.rollback()
        return None


def _context() -> dict[str, Any]:
    return {"identity": _identity(), "links": links}


def init_app(app: Flask) -> None:
    """Add the shared pages, their context and the filters of every template."""
    app.add_url_rule("/static/<name>", "static", _serve_static)
    app.add_url_rule("/favicon.ico", "favicon", _favicon)
    app.context_processor(_context)
    app.jinja_env.globals["asset"] = asset
    app.jinja_env.filters.update(formats.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(blueprint)
    app.register_blueprint(console)
