"""Read filters: which column, which operator, which operands."""

from typing import Any

from backend.core.collections.declaration import RESERVED, Collection, Column
from backend.core.collections.grammar import Given, read_list
from backend.core.collections.problems import Mistakes, nearest
from backend.core.collections.query import LISTED, Condition, is_day
from backend.core.collections.times import day_start
from backend.core.collections.types import ORDERED, Refused, Text

KNOWN_OPERATORS = {*ORDERED, "contains", "startswith"}


def read_filters(
    collection: Collection, given: list[Given], words: frozenset[str], mistakes: Mistakes
) -> list[Condition]:
    """Return the conditions among the parameters; the rest was unknown and is noted.

    `words` are the reserved words that mean something at this address.
    """
    conditions: list[Condition] = []
    seen: dict[tuple[str, str], str] = {}
    for each in given:
        name, op, more = each.parts()
        column = collection.columns.get(name)
        if column is None or more is not None:
            _note_unknown(collection, each, words, mistakes)
            continue
        op = "eq" if op is None else op
        if op not in column.operators:
            note_operator(column, op, each.name, each.at, mistakes)
            continue
        if (name, op) in seen:
            detail = f"The same as {seen[name, op]}."
            mistakes.add(each.name, "duplicate_parameter", detail, at=each.at)
            continue
        seen[name, op] = each.name
        if condition := _read(collection, column, op, each, mistakes):
            conditions.append(condition)
    _check_number(collection, conditions, given, mistakes)
    return sorted(conditions, key=Condition.order)


def _check_number(
    collection: Collection, conditions: list[Condition], given: list[Given], mistakes: Mistakes
) -> None:
    most = collection.limits.conditions
    if len(conditions) > most:
        detail = f"At most {most} conditions."
        mistakes.add(given[-1].name, "too_many_conditions", detail, at=given[-1].at)


def _read(
    collection: Collection, column: Column, op: str, given: Given, mistakes: Mistakes
) -> Condition | None:
    if op not in LISTED and len(given.values) > 1:
        detail = f"Given {len(given.values)} times."
        mistakes.add(given.name, "duplicate_parameter", detail, at=given.at)
        return None
    try:
        texts = read_list(given.values) if op in LISTED else given.values
        return build(collection, column, op, texts)
    except Refused as refused:
        mistakes.add(
            given.name, refused.code, refused.detail, at=given.at, suggestion=refused.suggestion
        )
        return None


def build(collection: Collection, column: Column, op: str, texts: list[str]) -> Condition:
    """Return the condition that the operands' texts make.

    :raises Refused: when an operand is no value of the column, or there are too many or too few
    """
    limits = collection.limits
    if len(texts) > limits.items:
        raise Refused(f"At most {limits.items} items.", code="too_many_items")
    if op == "isnull":
        return Condition(column, op, (_boolean(texts[0]),))
    values = [operand(column, text, limits.value_length) for text in texts]
    if op == "between":
        _check_between(column, values)
    elif op in LISTED:
        unique = dict(zip([column.type.wire(value) for value in values], values, strict=True))
        values = [unique[text] for text in sorted(unique)]
    return Condition(column, op, tuple(values))


def operand(column: Column, text: str, most: int) -> Any:
    """Return the value that one operand's text stands for."""
    if len(text) > most:
        raise Refused(f"At most {most} characters.", code="too_long")
    is_free = isinstance(column.type, Text)
    if text == "" and not is_free:
        raise Refused("A value is missing.")
    if text == "null" and not is_free:
        raise Refused("There is no null among values.", f"{column.name}[isnull]=true")
    return column.type.parse(text)


def _boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise Refused("true or false is expected.", nearest(text, ("true", "false")))
    return text == "true"


def _check_between(column: Column, values: list[Any]) -> None:
    if len(values) != 2:  # noqa: PLR2004  that is what between means
        raise Refused("Two values are expected, the lower one first.")
    low, high = (day_start(each, "UTC") if is_day(each) else each for each in values)
    if is_day(values[0]) != is_day(values[1]):
        raise Refused("Both are days or both are instants.")
    if low > high:
        ends = ",".join(column.type.wire(value) for value in reversed(values))
        raise Refused("The lower value comes first.", ends)


def note_operator(column: Column, op: str, name: str, at: int, mistakes: Mistakes) -> None:
    """Note an operator that the column does not have."""
    near = nearest(op, column.operators)
    kind = column.type.name.capitalize()
    known = op in KNOWN_OPERATORS
    mistakes.add(
        name,
        "operator_not_allowed" if known else "unknown_operator",
        f"{kind} has no {op}." if known else f"There is no operator {op[:40]}.",
        at=at,
        allowed=column.operators,
        suggestion=f"{column.name}[{near}]" if near and mistakes.place == "parameter" else None,
    )


def _note_unknown(
    collection: Collection, given: Given, words: frozenset[str], mistakes: Mistakes
) -> None:
    name, op, _ = given.parts()
    if given.name in RESERVED:
        mistakes.add(given.name, "not_applicable", f"{name} has no effect here.", at=given.at)
        return
    near = nearest(name, [*collection.columns, *sorted(words)])
    suggestion = near
    if near in collection.columns and op is not None:
        close = nearest(op, collection.columns[near].operators)
        suggestion = f"{near}[{close}]" if close else near
    mistakes.add(
        given.name,
        "unknown_parameter",
        f"No field is named {name[:80]}.",
        at=given.at,
        allowed=collection.columns,
        suggestion=suggestion,
    )
