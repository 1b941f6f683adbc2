"""Expenses over HTTP: read like every collection, and imported by staff."""

from io import BufferedReader
from typing import Any, BinaryIO, cast

import marshmallow as ma
from flask import request

from backend.core.auth import ApiBlueprint, required_identity, reserved
from backend.core.collections import mount
from backend.core.errors import Invalid, UnsupportedMediaType
from backend.core.security import body_limit
from backend.domains.expenses.collections import expenses
from backend.domains.expenses.schemas import ExpenseImportAnswerSchema, ExpenseImportOptionsSchema
from backend.domains.expenses.services import imports
from backend.domains.expenses.services.imports import Report

LARGEST_FILE = 20 * 1024 * 1024
CSV = "text/csv"
BODY = {
    "required": True,
    "description": "The file as it is, or as the part `file` of a form.",
    "content": {
        CSV: {"schema": {"type": "string"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "contentMediaType": CSV}},
            }
        },
    },
}

blueprint = ApiBlueprint(
    "expenses",
    __name__,
    public=lambda settings: settings.expenses_are_public,
    description="What the company spent",
)
mount(blueprint, expenses)


class FileMissing(Invalid):
    """The form has no file. Send it as the part `file`, or as the body itself as text/csv."""


@blueprint.post("/imports")
@blueprint.arguments(ExpenseImportOptionsSchema, location="query", unknown=ma.RAISE)
@blueprint.response(200, ExpenseImportAnswerSchema)
@blueprint.alt_response(401, "UNAUTHORIZED")
@blueprint.alt_response(403, "FORBIDDEN")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(413, "REQUEST_ENTITY_TOO_LARGE")
@blueprint.alt_response(415, "UNSUPPORTED_MEDIA_TYPE")
@blueprint.alt_response(422, "UNPROCESSABLE_ENTITY")
@blueprint.doc(requestBody=BODY)
@body_limit(LARGEST_FILE)
@reserved("staff")
def create_import(options: dict[str, str]) -> dict[str, Report]:
    """Import an expenses file.

    A row is known by its values: the same file again, in any order, changes nothing. If any row is
    bad, nothing is kept and every bad cell is named, unless `partial` is true. For staff.
    """
    report = imports.import_file(
        _file(),
        is_partial=options["is_partial"] == "true",
        removes_gone=options["removes_gone"] == "true",
        actor_id=required_identity().user_id,
    )
    return {"data": report.shortened()}


def _file() -> BinaryIO:
    if request.mimetype == CSV:
        return BufferedReader(cast(Any, request.stream))
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType(f"{CSV} or multipart/form-data is expected.")
    if (sent := request.files.get("file")) is None:
        entry = {"pointer": "/file", "code": "missing", "detail": "The part file is missing."}
        raise FileMissing(errors=[entry])
    return cast(BinaryIO, sent.stream)
