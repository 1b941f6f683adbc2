"""What people and programs send to the domain's doors."""

import re
from datetime import date, datetime
from typing import Any

from flask_smorest.fields import Upload
from marshmallow import (
    EXCLUDE,
    Schema,
    ValidationError,
    fields,
    post_load,
    validate,
    validates_schema,
)

from backend.domains.flows.models import STATUSES
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

    files = fields.List(Upload(), required=True, validate=validate.Length(min=1, max=100))


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


class FindingSchema(Schema):
    """One thing that was wrong or odd."""

    code = fields.String(required=True)
    severity = fields.String(required=True, validate=validate.OneOf(["error", "warning"]))
    message = fields.String(required=True)
    line = fields.Integer(attribute="line_number", allow_none=True)
    group = fields.String(attribute="group_code", allow_none=True)
    item = fields.String(allow_none=True, metadata={"description": "of the catalogue, as J0040"})
    value = fields.String(allow_none=True)


class FlowFileSchema(Schema):
    """A file that came in, and what became of it."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    message = fields.String(required=True)
    channel = fields.String(required=True)
    actor = fields.String(required=True)
    started_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    size_bytes = fields.Integer(allow_none=True)
    sha256 = fields.String(attribute="raw_hash", allow_none=True)
    flow = fields.String(allow_none=True)
    version = fields.String(allow_none=True)
    file_identifier = fields.String(allow_none=True)
    from_participant = fields.String(allow_none=True)
    created_at_local = fields.NaiveDateTime(allow_none=True)
    is_test = fields.Boolean(required=True)
    duplicate_of_id = fields.Integer(allow_none=True)
    conflicts_with_id = fields.Integer(allow_none=True)
    readings_total = fields.Integer(required=True)
    readings_accepted = fields.Integer(required=True)
    readings_rejected = fields.Integer(required=True)
    errors_total = fields.Integer(required=True)
    warnings_total = fields.Integer(required=True)


class ProgressSchema(Schema):
    """How many records of a file are read, of how many."""

    done = fields.Integer(required=True)
    total = fields.Integer(required=True)


class ReadingSchema(Schema):
    """A reading as it was sent, with its file and line."""

    mpan = fields.String(required=True)
    serial = fields.String(required=True)
    register = fields.String(required=True)
    reading_at_local = fields.NaiveDateTime(required=True)
    value = fields.String(attribute="value_text", required=True)
    type = fields.String(attribute="reading_type", required=True)
    badges = fields.List(fields.String(), required=True)
    flow = fields.String(required=True)
    file_id = fields.Integer(required=True)
    file_name = fields.String(required=True)
    line = fields.Integer(attribute="line_number", required=True)


class FlowPageSchema(Schema):
    """The value of `after` that gives the next page."""

    next = fields.String(allow_none=True, required=True)


class UploadAnswerSchema(Schema):
    """What became of each file, in the order in which they were sent."""

    data = fields.List(fields.Dict(), required=True)


class FileAnswerSchema(Schema):
    """One file."""

    data = fields.Nested(FlowFileSchema, required=True)
    progress = fields.Nested(ProgressSchema, allow_none=True)


class FileListSchema(Schema):
    """A page of files."""

    data = fields.List(fields.Nested(FlowFileSchema), required=True)
    page = fields.Nested(FlowPageSchema, required=True)


class FindingListSchema(Schema):
    """A page of findings."""

    data = fields.List(fields.Nested(FindingSchema), required=True)
    page = fields.Nested(FlowPageSchema, required=True)


class ReadingListSchema(Schema):
    """A page of readings."""

    data = fields.List(fields.Nested(ReadingSchema), required=True)
    page = fields.Nested(FlowPageSchema, required=True)


class FilesQuerySchema(Schema):
    """Which files, and from where on."""

    status = fields.String(load_default="", validate=validate.OneOf(STATUSES))
    after = fields.Integer(validate=validate.Range(0, 2**63 - 1))


class FindingsQuerySchema(Schema):
    """Which findings, and from where on."""

    severity = fields.String(load_default="", validate=validate.OneOf(["error", "warning"]))
    after = fields.Integer(validate=validate.Range(0, 2**31 - 1))


class ReadingsQuerySchema(Schema):
    """Which readings, and from where on."""

    mpan = fields.String(validate=validate.Length(min=4, max=64))
    serial = fields.String(validate=validate.Length(min=1, max=64))
    history = fields.Boolean(load_default=False)
    valid = fields.Boolean(load_default=False)
    after = Cursor()

    @validates_schema
    def _check(self, data: dict[str, Any], **_: Any) -> None:
        if ("mpan" in data) == ("serial" in data):
            raise ValidationError("Give either the MPAN or the serial.", "mpan")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        query = Query(
            term=Term.of(data.get("mpan") or data.get("serial", "")),
            is_usable_only=data["valid"],
            has_history=data["history"],
        )
        return {"query": query} | ({"after": data["after"]} if "after" in data else {})
