"""What the query language means, said in Python: filters and orders of plain rows."""

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import strategies as st

from backend.core.collections.composite import Composite
from backend.core.collections.local_times import LocalTimestamp
from backend.core.collections.numbers import Integer, Number
from backend.core.collections.times import Date, Timestamp
from backend.core.collections.types import Boolean, Enum, Text, Uuid

FIRST, LAST = date(1, 1, 3), date(9999, 12, 28)
MOMENTS = st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001  hypothesis adds the zone
    datetime(9999, 12, 28),  # noqa: DTZ001
)
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
MEANINGS = {
    "eq": lambda value, operands: value == operands[0],
    "gt": lambda value, operands: value > operands[0],
    "gte": lambda value, operands: value >= operands[0],
    "lt": lambda value, operands: value < operands[0],
    "lte": lambda value, operands: value <= operands[0],
    "between": lambda value, operands: operands[0] <= value <= operands[1],
    "in": lambda value, operands: value in operands,
    "contains": lambda value, operands: operands[0].lower() in value.lower(),
    "startswith": lambda value, operands: value.lower().startswith(operands[0].lower()),
}


def holds(op, value, operands):
    """Whether a row with this value passes the operator."""
    if op == "isnull":
        return (value is None) is operands[0]
    if op in {"ne", "nin"}:
        return value not in operands
    return value is not None and MEANINGS[op](value, operands)


def values_of(column):
    """Any values that the column's type could have, far from those that occur."""
    kind = column.type
    makers = (
        (Boolean, st.booleans),
        (Composite, lambda: st.integers(0, 99).map(lambda number: f"{number}-{number}")),
        (Date, lambda: st.dates(FIRST, LAST)),
        (Enum, lambda: st.sampled_from(kind.values)),
        (Integer, lambda: st.integers(kind.low, kind.high)),
        (LocalTimestamp, lambda: MOMENTS.map(lambda moment: moment.replace(microsecond=0))),
        (Number, lambda: _decimals(kind)),
        (Text, lambda: st.text(CHARACTERS, max_size=min(3, kind.max_length)).map(kind.parse)),
        (Timestamp, lambda: MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))),
        (Uuid, st.uuids),
    )
    return next(make() for type_, make in makers if isinstance(kind, type_))


def _decimals(kind):
    most = 10 ** min(kind.precision, 12) - 1
    return st.integers(-most, most).map(lambda n: Decimal(n).scaleb(-kind.places))


def near(column, rows):
    """Values that occur, and values of the type that mostly do not."""
    present = [row[column.name] for row in rows if row[column.name] is not None]
    return st.sampled_from(present) | values_of(column) if present else values_of(column)


def operands_of(column, op, rows):
    """The operands that the operator takes."""
    if op == "isnull":
        return st.tuples(st.booleans())
    value = near(column, rows)
    if op == "between":
        return st.tuples(value, value).map(lambda pair: tuple(sorted(pair)))
    if op in {"in", "nin"}:
        return st.lists(value, min_size=1, max_size=5).map(tuple)
    return st.tuples(value)


def item(text):
    """The text as it stands in a list."""
    return '"' + text.replace('"', '""') + '"' if text == "" or set(text) & {",", '"'} else text


def parameter(column, op, operands):
    """The condition as name and value of a parameter."""
    if op == "isnull":
        texts = ["true" if operands[0] else "false"]
    else:
        texts = [column.type.wire(each) for each in operands]
    if op in {"in", "nin", "between"}:
        texts = [",".join(map(item, texts))]
    return (column.name if op == "eq" else f"{column.name}[{op}]", texts[0])


@st.composite
def conditions(draw, collection, rows, most=3):
    """Conditions as columns, operators and operands, no two of one column and operator."""
    columns = list(collection.columns.values())
    found = {}
    for column in draw(st.lists(st.sampled_from(columns), min_size=1, max_size=most)):
        op = draw(st.sampled_from(column.operators))
        found[column.name, op] = (column, op, draw(operands_of(column, op, rows)))
    return list(found.values())


def passing(rows, chosen):
    """The rows that pass all of the conditions."""
    return [
        row
        for row in rows
        if all(holds(op, row[column.name], operands) for column, op, operands in chosen)
    ]


@st.composite
def orders(draw, collection, most=3):
    """Orders by any columns that can be sorted, in any direction, with nulls at either end."""
    names = [each.name for each in collection.columns.values() if collection.can_sort(each)]
    most = min(most, collection.limits.sort_keys)
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=most, unique=True))
    signs = [draw(st.sampled_from(("", "-"))) for _ in chosen]
    places = [draw(st.sampled_from(("", ":nullsfirst"))) for _ in chosen]
    return ",".join(map("".join, zip(signs, chosen, places, strict=True)))


def in_order(rows, sort, key="id"):
    """The rows sorted as the words say."""
    found = sorted(rows, key=lambda row: row[key])
    for word in reversed(sort.split(",")):
        name = word.removeprefix("-").partition(":")[0]
        present = [row for row in found if row[name] is not None]
        absent = [row for row in found if row[name] is None]
        present.sort(key=lambda row, name=name: row[name], reverse=word.startswith("-"))
        found = absent + present if word.endswith(":nullsfirst") else present + absent
    return found
