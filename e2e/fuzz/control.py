"""The platform with a hole in it: anybody who is signed in reads the notes of everybody.

The list shows to each their own. It proves that the check of objects does its work, which without
two people under `[auth.wfc]` does nothing, and says so to nobody.
"""

from typing import Any

import marshmallow as ma
from flask import Flask

from backend import app as platform
from backend.core.api import Api
from backend.core.auth import ApiBlueprint, required_identity
from backend.core.errors import NotFound

TAG = "notes"
blueprint = ApiBlueprint(TAG, __name__, url_prefix="/api/notes")


class NoteSchema(ma.Schema):
    """A note of somebody's own."""

    id = ma.fields.Integer(required=True)
    text = ma.fields.String(required=True)


class NotesSchema(ma.Schema):
    """The caller's notes."""

    notes = ma.fields.List(ma.fields.Nested(NoteSchema), required=True)


@blueprint.get("/")
@blueprint.response(200, NotesSchema)
def list_notes() -> dict[str, Any]:
    """List the caller's own notes."""
    owner = required_identity().email
    return {"notes": [each for each in _notes() if each["owner"] == owner]}


@blueprint.get("/<int:note_id>")
@blueprint.response(200, NoteSchema)
def read_note(note_id: int) -> dict[str, Any]:
    """Read a note, whoever's it is: that is the hole."""
    for each in _notes():
        if each["id"] == note_id:
            return each
    raise NotFound


def _notes() -> list[dict[str, Any]]:
    people = ("staff@quintet.test", "second@quintet.test")
    return [
        {"id": 1000 + number, "owner": people[number % 2], "text": f"Note {number}"}
        for number in range(6)
    ]


def create_app(**options: Any) -> Flask:
    """Return the platform with the notes."""
    app = platform.create_app(**options)
    api: Api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    api.register_blueprint(blueprint)
    return app
