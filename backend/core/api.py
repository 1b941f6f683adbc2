"""The JSON API's own habits: how bodies are read, how mistakes in them are named and documented."""

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, NoReturn

import flask_smorest
import marshmallow as ma
from flask import Request
from webargs import core
from webargs.flaskparser import FlaskParser

from backend.core.errors import Invalid, Malformed, UnsupportedMediaType

BODY_LOCATIONS = {"json", "form", "files", "json_or_form"}
LONGEST_NAME = 100
PROBLEM_MEDIA_TYPE = "application/problem+json"


class Place(ma.Schema):
    """One mistake: where it is (one of the first four), and what it is."""

    class Meta:
        """What a type of problem tells beyond this is its own, as the column of a file."""

        unknown = ma.INCLUDE

    pointer = ma.fields.String(metadata={"description": "JSON pointer into the body"})
    parameter = ma.fields.String(metadata={"description": "name in the query or the path"})
    header = ma.fields.String(metadata={"description": "name of a header"})
    line = ma.fields.Integer(metadata={"description": "line of a file, from 1"})
    code = ma.fields.String(required=True)
    detail = ma.fields.String(required=True)
    allowed = ma.fields.List(
        ma.fields.String(), metadata={"description": "what could stand there, the first twenty"}
    )
    suggestion = ma.fields.String(metadata={"description": "what was most likely meant"})


class ProblemSchema(ma.Schema):
    """What every refusal looks like (RFC 9457); a type may add members of its own."""

    class Meta:
        """The members of a type's own."""

        unknown = ma.INCLUDE

    type = ma.fields.String(required=True, metadata={"format": "uri-reference"})
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    instance = ma.fields.String(required=True, metadata={"format": "uri-reference"})
    errors = ma.fields.List(ma.fields.Nested(Place))


class Parser(FlaskParser):
    """Reads arguments strictly, and raises our own errors."""

    DEFAULT_VALIDATION_STATUS = HTTPStatus.UNPROCESSABLE_ENTITY

    def load_json(self, req: Request, schema: ma.Schema) -> object:  # noqa: ARG002  webargs' signature
        """Return the body; besides broken JSON it refuses what PostgreSQL could not keep."""
        body = req.get_data(cache=True)
        if not body:
            return core.missing
        if not req.is_json:
            raise UnsupportedMediaType(
                "The body has to be application/json.",
                errors=[{"header": "Content-Type", "code": "not-json", "detail": req.mimetype}],
            )
        try:
            content = json.loads(body, parse_constant=_refuse_constant)
            is_keepable = "\\u0000" not in json.dumps(content) and _is_text(content)
        except (ValueError, RecursionError) as error:
            raise Malformed("The body is not JSON." + _position(error)) from error
        if not is_keepable:
            raise Malformed("The body holds characters that cannot be kept.")
        return content

    def handle_error(
        self,
        error: ma.ValidationError,
        req: Request,  # noqa: ARG002
        schema: ma.Schema,  # noqa: ARG002
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,  # noqa: ARG002
    ) -> NoReturn:
        """Name every mistake by its place in the body, query, path or headers."""
        found = [
            place
            for location, messages in error.normalized_messages().items()  # type: ignore[no-untyped-call]  # untyped upstream
            for place in places(messages, str(location))
        ]
        kind = Malformed if error_status_code == HTTPStatus.BAD_REQUEST else Invalid
        count = "One place is" if len(found) == 1 else f"{len(found)} places are"
        raise kind(f"{count} not as expected.", errors=found) from error


def places(messages: object, location: str, path: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """Flatten marshmallow's messages into one entry for each mistake."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            inside = path if name == ma.exceptions.SCHEMA else (*path, _short(str(name)))
            yield from places(inner, location, inside)
        return
    for message in messages if isinstance(messages, list) else [messages]:
        yield _place(location, path) | {"code": _code(str(message)), "detail": str(message)}


def _short(name: str) -> str:
    """Return a field's name without what goes on for long: a body in another form is one name."""
    return name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"


def _place(location: str, path: tuple[str, ...]) -> dict[str, str]:
    if location in BODY_LOCATIONS:
        steps = (step.replace("~", "~0").replace("/", "~1") for step in path)
        return {"pointer": "".join(f"/{step}" for step in steps)}
    return {"header" if location == "headers" else "parameter": ".".join(path)}


def _code(message: str) -> str:
    known = {
        ma.fields.Field.default_error_messages["required"]: "missing",
        ma.fields.Field.default_error_messages["null"]: "null",
        ma.Schema.error_messages.get("unknown", "Unknown field."): "unknown",
    }
    return known.get(message, "invalid-value")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _is_text(content: object) -> bool:
    """Whether no string holds half a character, as an escaped lone surrogate does."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _position(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" Reading stopped at line {error.lineno}, column {error.colno}."
    return ""


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # untyped upstream
    """A part of the API whose mistakes are answered as documented: body 422, anything else 400.

    `tag` is the part of the document in which it stands, if that has another name: a domain may
    have several blueprints.
    """

    ARGUMENTS_PARSER = Parser()

    def __init__(self, name: str, import_name: str, *, tag: str = "", **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self.tag = tag or name

    def arguments(
        self, schema: ma.Schema | type[ma.Schema], *, location: str = "json", **options: object
    ) -> Callable[..., Any]:
        """Read the arguments of a view by their schema, from the body or elsewhere."""
        is_body = location in BODY_LOCATIONS
        status = HTTPStatus.UNPROCESSABLE_ENTITY if is_body else HTTPStatus.BAD_REQUEST
        options.setdefault("error_status_code", int(status))
        decorate: Callable[..., Any] = super().arguments(schema, location=location, **options)
        return decorate


class Api(flask_smorest.Api):  # type: ignore[misc]  # untyped upstream
    """The API's document, which describes errors as `core.errors` answers them.

    Every status is named. A default would stand for all that were forgotten.
    """

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def register_blueprint(self, blp: Blueprint, **options: Any) -> None:
        """Register the blueprint; its tag is told once, by the first that has it."""
        super().register_blueprint(blp, **options)
        tags = self.spec._tags  # noqa: SLF001  the library tells one for each blueprint
        tags[-1]["name"] = blp.tag
        if blp.tag in {each["name"] for each in tags[:-1]}:
            tags.pop()

    def _register_error_handlers(self) -> None:
        """Leave errors to `core.errors`."""

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            if status >= HTTPStatus.BAD_REQUEST:
                self._register_response(status.name, status.phrase)

    def _register_response(self, name: str, description: str) -> None:
        content = {PROBLEM_MEDIA_TYPE: {"schema": self.ERROR_SCHEMA}}
        response = {"description": description, "content": content}
        self.spec.components.response(name, response, lazy=True)
