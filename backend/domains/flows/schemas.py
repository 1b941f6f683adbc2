"""What people and programs send to the domain's doors."""

import re
from datetime import date, datetime
from typing import Any

from flask_smorest.fields import Upload
from marshmallow import (
    EXCLUDE,
    Schema,
    fields,
    post_load,
    validate,
)

from backend.domains.flows.models import STATUSES
from backend.domains.flows.services import uploads
from backend.domains.flows.services.projection import Position
from backend.domains.flows.services.readings import Query
from backend.domains.flows.services.terms import Term

_DAY = validate.Range(date(1900, 1, 1), date(2999, 12, 31))
_CURSOR = re.compile(r"(\d{14})-(\d{14})-(\d{1,18})-(\d{1,9})")
_MOMENT = "%Y%m%d%H%M%S"


class Cursor(fields.Field[Position]):
    """The place of a reading among all, as it stands in an address."""

    default_error_messages = {  # noqa: RUF012  marshmallow declares it so
        "invalid": "This address was cut or changed; search again."
    }

    def _serialize(self, value: Any, *_: Any, **__: Any) -> str:
        at, created, file_id, line_number = value
        return f"{at:{_MOMENT}}-{created:{_MOMENT}}-{file_id}-{line_number}"

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Position:
        found = _CURSOR.fullmatch(value)
        if found is None:
            raise self.make_error("invalid")
        try:
            at, created = (datetime.strptime(each, _MOMENT) for each in found.groups()[:2])  # noqa: DTZ007  local time
        except ValueError:
            raise self.make_error("invalid") from None
        return Position(at, created, int(found[3]), int(found[4]))


def cursor(position: Position) -> str:
    """Return a position as it stands in an address."""
    return Cursor()._serialize(position)  # noqa: SLF001  our own


class SearchSchema(Schema):
    """The fields of the search form, and the position from which a page starts."""

    class Meta:
        """Whatever else an address holds is nothing to us."""

        unknown = EXCLUDE

    q = fields.String(load_default="")
    since = fields.Date(validate=_DAY)
    until = fields.Date(validate=_DAY)
    type = fields.String(load_default="")
    valid = fields.Boolean(load_default=False)
    history = fields.Boolean(load_default=False)
    after = Cursor()
    before = Cursor()

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        query = Query(
            term=Term.of(data["q"]),
            since=data.get("since"),
            until=data.get("until"),
            reading_type=data["type"],
            is_usable_only=data["valid"],
            has_history=data["history"],
        )
        start = data.get("after") or data.get("before")
        direction = "newer" if "before" in data and "after" not in data else "older"
        return {"query": query, "start": start, "direction": direction}


class UploadSchema(Schema):
    """The files of an upload."""

    files = fields.List(Upload(), required=True, validate=validate.Length(min=1, max=uploads.MOST))


class UploadOptionsSchema(Schema):
    """What is accepted of the files."""

    strict = fields.Boolean(
        load_default=False, metadata={"description": "refuse a file for any error in it"}
    )
    lenient_footer = fields.Boolean(
        load_default=False, metadata={"description": "only warn of wrong counts in the trailer"}
    )
    allow_test = fields.Boolean(
        load_default=False, metadata={"description": "accept files marked as test data"}
    )


class ProgressSchema(Schema):
    """How many records of a file are read, of how many."""

    done = fields.Integer(required=True)
    total = fields.Integer(required=True)


class UploadAnswerSchema(Schema):
    """What became of each file, in the order in which they were sent."""

    data = fields.List(fields.Dict(), required=True)


class FileStateSchema(Schema):
    """A file's status, and its progress while it is being imported."""

    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    progress = fields.Nested(ProgressSchema, allow_none=True)


class FileProgressSchema(Schema):
    """How far one file is."""

    data = fields.Nested(FileStateSchema, required=True)
