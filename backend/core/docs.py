"""The API's documentation for people, drawn from its OpenAPI document.

A packaged renderer would show each operator of each field as a row with an input of its own, a
few hundred for one address; here they are one line for each field.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app, render_template
from markupsafe import Markup, escape

from backend.core.auth import Entry, PageBlueprint
from backend.core.config import current_settings

METHODS = ("get", "post", "put", "patch", "delete")
OK, FAILED = 200, 400
MOST_WORDS = 12
DEEPEST = 6
# What makes a first answer short and telling.
FIRST_TRY = {"limit": "3", "by": None}

Schema = dict[str, Any]

blueprint = PageBlueprint(
    "docs",
    __name__,
    public=True,
    url_prefix="/docs",
    entries=(Entry("API", "docs.show_docs", "Every address of the API, to read and to try."),),
)


@dataclass
class Parameter:
    """A parameter, with every operator that its brackets take."""

    name: str
    type: str
    example: str
    description: str
    place: str
    is_required: bool
    operators: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Operation:
    """One method at one address."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    is_open: bool
    parameters: list[Parameter]
    address: str
    body: str | None
    media_type: str | None
    answers: list[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """The operations of one part of the API."""

    name: str
    description: str
    operations: list[Operation]


@blueprint.get("/")
def show_docs() -> str:
    """Show every address of the API."""
    sections: list[Section] = current_app.extensions.setdefault("docs", [])
    if not sections:
        sections += read(document())
    return render_template("docs.html", sections=sections, address=current_settings().public_url)


def document() -> Schema:
    """Return the API's OpenAPI document."""
    api = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    found: Schema = api.spec.to_dict()
    return found


def read(openapi: Schema) -> list[Section]:
    """Return the document as the page shows it, by its tags."""
    found: dict[str, list[Operation]] = {}
    for path, item in openapi["paths"].items():
        for method in METHODS:
            if method in item:
                tag = (item[method].get("tags") or ["other"])[0]
                operation = _operation(openapi, method, path, item[method])
                found.setdefault(tag, []).append(operation)
    told = {each["name"]: each.get("description", "") for each in openapi.get("tags", ())}
    return [Section(tag, told.get(tag, ""), found[tag]) for tag in sorted(found)]


def _operation(openapi: Schema, method: str, path: str, operation: Schema) -> Operation:
    given = [_resolved(openapi, each) for each in operation.get("parameters", ())]
    parameters = [e | {"schema": _resolved(openapi, e.get("schema", {}))} for e in given]
    media_type, body = _body(openapi, operation)
    return Operation(
        anchor=re.sub(r"\W+", "-", f"{method}{path}").strip("-"),
        method=method.upper(),
        path=path,
        summary=operation.get("summary", "").rstrip("."),
        description=operation.get("description", ""),
        is_open=not all(operation.get("security", [True])),
        parameters=_parameters(parameters),
        address=_first_try(path, parameters),
        body=body,
        media_type=media_type,
        answers=_answers(openapi, operation),
    )


def _parameters(given: list[Schema]) -> list[Parameter]:
    found: dict[str, Parameter] = {}
    figures: dict[str, None] = {}
    for each in given:
        name, *inner = re.findall(r"[^\[\]]+", each["name"])
        if len(inner) > 1:
            name, figures[inner[0]] = f"{name}[…]", None
        if name not in found:
            operators = ["eq"] if not inner and any(_is_of(other, name) for other in given) else []
            found[name] = Parameter(
                name=name,
                type=words(each.get("schema", {})),
                example=_example(each),
                description=each.get("description", ""),
                place=each["in"],
                is_required=each.get("required", False),
                operators=operators,
            )
        if len(inner) > 1:
            found[name].type = f"for one of {', '.join(figures)}"
        if inner and inner[-1] not in found[name].operators:
            found[name].operators.append(inner[-1])
    return list(found.values())


def _is_of(parameter: Schema, name: str) -> bool:
    return str(parameter["name"]).startswith(f"{name}[")


def _example(parameter: Schema) -> str:
    example = parameter.get("example", parameter.get("schema", {}).get("example", ""))
    return ",".join(map(str, example)) if isinstance(example, list) else str(example)


def _first_try(path: str, parameters: list[Schema]) -> str:
    """Return an address with an example for what it needs."""
    pairs = []
    for each in parameters:
        value = _example(each) or str(sample({}, each.get("schema", {})))
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", value)
        elif each["in"] == "query" and (each["name"] in FIRST_TRY or each.get("required")):
            schema = each["schema"].get("items", {})
            first = str(schema.get("enum", [value])[0])
            pairs.append(f"{each['name']}={FIRST_TRY.get(each['name']) or first}")
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def _body(openapi: Schema, operation: Schema) -> tuple[str | None, str | None]:
    content = _resolved(openapi, operation.get("requestBody", {})).get("content", {})
    for media_type, each in content.items():
        if media_type != "application/json":
            return media_type, ""
        example = each.get("example")
        if example is None and each.get("examples"):
            example = next(iter(each["examples"].values())).get("value")
        if example is None:
            example = sample(openapi, each.get("schema", {}))
        return media_type, json.dumps(example, indent=2, ensure_ascii=False)
    return None, None


def _answers(openapi: Schema, operation: Schema) -> list[tuple[str, str]]:
    found = {
        status: _resolved(openapi, each).get("description", "")
        for status, each in operation.get("responses", {}).items()
        if status != "default"
    }
    return sorted(found.items())


def _resolved(openapi: Schema, node: Schema) -> Schema:
    while "$ref" in node:
        found: Any = openapi
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def words(schema: Schema) -> str:
    """Return in words what values the schema allows."""
    kind = schema.get("type", "value")
    kind = kind[0] if isinstance(kind, list) else kind
    if "enum" in schema:
        shown = ", ".join(map(str, schema["enum"][:MOST_WORDS]))
        return f"one of {shown}" + (", …" if len(schema["enum"]) > MOST_WORDS else "")
    if kind == "array":
        return f"list: {words(schema.get('items', {}))}"
    if kind == "integer" and "maximum" in schema:
        return f"integer, {schema.get('minimum', 0)} to {schema['maximum']}"
    if "format" in schema:
        return str(schema["format"])
    if "maxLength" in schema:
        return f"text, at most {schema['maxLength']} characters"
    return {"string": "text"}.get(kind, str(kind))


def sample(openapi: Schema, schema: Schema, depth: int = 0) -> Any:
    """Return a value that the schema allows, for an example."""
    schema = _resolved(openapi, schema)
    for name in ("example", "default", "const"):
        if name in schema:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    for name in ("oneOf", "anyOf", "allOf"):
        if schema.get(name):
            return sample(openapi, schema[name][0], depth)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" and depth < DEEPEST:
        inner: Schema = schema.get("properties", {})
        needed: list[str] = schema.get("required", list(inner))
        return {name: sample(openapi, inner[name], depth + 1) for name in inner if name in needed}
    if kind == "array":
        return [sample(openapi, schema.get("items", {}), depth + 1)]
    plain = {"integer": schema.get("minimum", 1) or 1, "number": 1.5, "boolean": True}
    return plain.get(kind, schema.get("format", "text"))


def prose(text: str) -> Markup:
    """Return a description's paragraphs, with what stands between backticks as code."""
    paragraphs = [each for each in re.split(r"\n\s*\n", text.strip()) if each]
    marked = (re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(each))) for each in paragraphs)
    return Markup("".join(f"<p>{each}</p>" for each in marked))  # noqa: S704  escaped above


def init_app(app: Flask) -> None:
    """Offer the page, and the document itself beside the API."""
    app.config.setdefault("OPENAPI_URL_PREFIX", "/api")
    app.config.setdefault("OPENAPI_JSON_PATH", "openapi.json")
    app.jinja_env.filters["prose"] = prose
    app.register_blueprint(blueprint)
