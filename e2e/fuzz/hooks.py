"""What schemathesis cannot take from the document: rules between parameters, and likeness.

A schema says what one parameter may be. That conditions are at most twenty, that `order` needs
`sort` and the like are rules of the whole: requests are cut down to them where that is easy, and
where it is not, a refusal is held to naming nothing but such a rule.
"""

import json
import random
from collections import Counter
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

from backend.core.collections.declaration import RESERVED

SEED = 1
MOST_CONDITIONS = 8
ADDRESSES = 1
REFUSED = {400, 422}
READS = ("/describe", "/{key}")
# What the rules of the whole are called in answers; the member names the place.
OF_THE_WHOLE = {
    "cursor_mismatch",
    "duplicate_item",
    "invalid_cursor",
    "mixed_currencies",
    "not_applicable",
    "out_of_range",
    "page_too_deep",
    "parameter_conflict",
    "query_too_long",
    "too_many_conditions",
    "too_many_groups",
    "too_many_items",
}
OF_SEVERAL = {
    "Both are days or both are instants.",
    "One order for all keys, or one for each.",
    "The lower value comes first.",
    "Two values are expected, the lower one first.",
}

Schema = dict[str, Any]


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: Schema) -> None:  # noqa: ARG001
    """Thin out what is the same many times, so that the whole takes minutes.

    Each list has a parameter for each operator of each column, a thousand at one address, and
    those that differ by the column's name alone are read by the same lines. Of each kind one stays,
    and one member of each name in searches, whose trees keep one column and one shape at each
    level. Which ones is drawn by the seed.
    """
    chance = random.Random(SEED)  # noqa: S311  nothing is secret here
    seen: Counter[str] = Counter()
    operations = [
        (path, operation)
        for path, item in raw_schema["paths"].items()
        for operation in item.values()
        if isinstance(operation, dict)
    ]
    chance.shuffle(operations)
    for path, operation in operations:
        address = path.rpartition("/")[2] if path.endswith("/aggregates") else ""
        if "parameters" in operation:
            operation["parameters"] = _thinned(operation["parameters"], address, seen, chance)
        if path.endswith(":search"):
            body = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
            for name in set(body) - {"filter"}:
                seen[f":search {name}"] += 1
                if seen[f":search {name}"] > ADDRESSES:
                    del body[name]
    for name, schema in raw_schema["components"]["schemas"].items():
        if name.endswith("Comparison"):
            fields = [each["properties"]["field"]["enum"] for each in schema["anyOf"]]
            kept = chance.choice(fields)
            schema["anyOf"] = [e for e, f in zip(schema["anyOf"], fields, strict=True) if f == kept]
        elif name.endswith(("Filter2", "Filter3")):
            schema["anyOf"] = [chance.choice(schema["anyOf"])]


def _thinned(
    parameters: list[Schema], address: str, seen: Counter[str], chance: random.Random
) -> list[Schema]:
    kinds: dict[str, list[Schema]] = {}
    for each in parameters:
        kinds.setdefault(_kind(each, address), []).append(each)
    seen.update(kinds.keys())
    return [
        chance.choice(each)
        for kind, each in kinds.items()
        if seen[kind] <= ADDRESSES or each[0].get("required")
    ]


def _kind(parameter: Schema, address: str) -> str:
    name, _, operator = parameter["name"].partition("[")
    if parameter["in"] != "query":
        return f"{parameter['in']} {name} {address}"
    is_figure = name == "having"
    is_word = name in RESERVED and not is_figure
    own = name if is_word else operator.rpartition("[")[2]
    return json.dumps([address, is_figure, is_word, own, parameter["schema"]])


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: Schema) -> None:  # noqa: ARG001
    """Cut the query down to what may stand together, and keep what the case is about."""
    query = case.query
    if not query or case.meta is None or case.operation.path.endswith(READS):
        return
    tried = _tried(case)
    chance = random.Random(repr(sorted(query)))  # noqa: S311
    conditions = [each for each in query if each.partition("[")[0] not in RESERVED]
    spare = [each for each in conditions if each not in tried]
    gone = set(chance.sample(spare, max(0, len(spare) - MOST_CONDITIONS)))
    gone |= {each for each in query if each.startswith("having[")} | {"cursor", "tz"}
    gone |= {chance.choice(("page", "limit")), chance.choice(("format", "page"))}
    gone |= set() if "sort" in query and _has_no_signs(query["sort"]) else {"order"}
    for name in (gone & set(query)) - tried:
        del query[name]
    _repair(case, query, tried)


def _tried(case: Case) -> set[str]:
    """Return the parameters that the case is about."""
    data = case.meta.phase.data if case.meta else None
    named = {getattr(data, "parameter", None)}
    named |= {each.parameter for each in getattr(data, "mutations", None) or ()}
    return {each for each in named if each}


def _has_no_signs(sort: object) -> bool:
    words = sort if isinstance(sort, list) else [sort]
    return not any(str(each).startswith("-") for each in words)


def _repair(case: Case, query: Schema, tried: set[str]) -> None:
    """Give the parameter that is tried what it needs beside it."""
    if "order" in query and "order" not in tried and isinstance(query["order"], list):
        query["order"] = query["order"][:1]
    for name in tried & set(query):
        if name.startswith("having["):
            word = name.split("[")[1].rstrip("]")
            if metric := _metrics(case).get(word):
                query["metrics"] = [metric]
                query.pop("sort", None)
                query.pop("order", None)


def _metrics(case: Case) -> dict[str, str]:
    """Return the words of metrics by the names that answers give them."""
    for each in case.operation.definition.raw.get("parameters", ()):
        if each["name"] == "metrics":
            words: list[str] = each["schema"]["items"]["enum"]
            return {word.replace("(", "_").rstrip(")"): word for word in words}
    return {}


@schemathesis.check
def refusals_name_rules_of_the_whole(
    context: CheckContext,  # noqa: ARG001
    response: Response,
    case: Case,
) -> None:
    """Fail when data that fit the document are refused for what a schema could have said."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code not in REFUSED or not _is_query(case):
        return
    wrong = [each for each in response.json().get("errors", ()) if not _is_of_the_whole(each)]
    assert not wrong, f"The document allows what is refused: {json.dumps(wrong)}"  # noqa: S101


def _is_query(case: Case) -> bool:
    tags = case.operation.definition.raw.get("tags", ())
    is_query = "aggregates" in case.operation.path or case.operation.path.endswith(":search")
    return bool(tags) and (is_query or "format" in {each.name for each in case.operation.query})


def _is_of_the_whole(error: Schema) -> bool:
    place = str(error.get("parameter", error.get("pointer", "")))
    code = error["code"]
    if code == "invalid_value":
        return error["detail"] in OF_SEVERAL
    if code == "unknown_metric":
        return place.startswith("having[")
    if code == "unknown_field":
        return place in {"sort", "/sort", "fields", "/fields"}
    return code in OF_THE_WHOLE
