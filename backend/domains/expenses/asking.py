"""What a person asks of the expenses page: its address, its form, and the API's same address."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from backend.core import collections
from backend.core.collections.envelope import SAFE_IN_BODY, address
from backend.core.collections.query import Condition
from backend.core.collections.reading import WORDS
from backend.domains.expenses.charts import euros, spoken
from backend.domains.expenses.collections import expenses
from backend.domains.expenses.services import choices

PAGE = "/expenses"
FORM = (
    "departments",
    "project_name",
    "member_name",
    "project_name[contains]",
    "amount[gte]",
    "amount[lte]",
    "date[gte]",
    "date[lte]",
)
LABELS = {
    "date[gte]": "From",
    "date[lte]": "To",
    "amount[gte]": "Least amount",
    "amount[lte]": "Greatest amount",
}
GROUPED = {"metrics": "count,sum(amount),share(amount)", "totals": "true"}
FILLED = ("year", "quarter", "month")

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Field:
    """One input of the form."""

    name: str
    label: str
    kind: str
    value: str
    choices: tuple[tuple[str, str], ...]
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Chip:
    """A filter that is in force, and the address without it."""

    text: str
    without: str


def pairs_of(query_string: bytes) -> Pairs:
    """Return the parameters that were filled in: a browser sends the empty ones too."""
    return parse_qsl(query_string.decode("ascii", "replace"), errors="replace")


def is_grouped(pairs: Pairs) -> bool:
    """Whether groups are asked for rather than rows."""
    return any(name == "by" for name, _ in pairs)


def filters_of(pairs: Pairs) -> Pairs:
    """Return the parameters that choose rows, whatever is shown of them."""
    return [each for each in pairs if each[0].partition("[")[0] in expenses.columns]


def grouped(pairs: Pairs, *, fills: bool) -> Pairs:
    """Return what the API is asked for groups: with the figures that the page shows."""
    given = dict(pairs)
    added = {name: value for name, value in GROUPED.items() if name not in given}
    bucket = given["by"].partition("(")[0]
    if fills and bucket in FILLED and "," not in given["by"]:
        added |= {} if "fill" in given else {"fill": "zero"}
    elif "sort" not in given and "metrics" not in given and "(" not in given["by"]:
        added["sort"] = "-sum_amount"
    return pairs + list(added.items())


def fields(pairs: Pairs, errors: Mapping[str, list[str]]) -> list[Field]:
    """Return the form's fields as the collection declares them."""
    given, known = dict(pairs), {each.parameter: each for each in collections.filters(expenses)}
    found = []
    for name in FORM:
        declared, value = known[name], given.get(name, "")
        is_exact = declared.op == "eq"
        label = LABELS.get(
            name, expenses.columns[name].declared.label if is_exact else declared.label
        )
        offered = choices.few_values(name) if is_exact else []
        if value and offered and value not in offered:
            offered = [value, *offered]
        options = (("", "All"), *((each, each) for each in offered)) if offered else ()
        wrong = tuple(errors.get(name, ()))
        found.append(Field(name, label, declared.type, value, tuple(options), wrong))
    return found


def hidden(pairs: Pairs) -> Pairs:
    """Return what the form keeps without showing it."""
    gone = {*FORM, "cursor", "page"}
    return [each for each in pairs if each[0] not in gone]


def chips(pairs: Pairs, conditions: Iterable[Condition]) -> list[Chip]:
    """Return the filters in force, each with the address of the page without it."""
    return [Chip(_told(each), page(_without(pairs, each))) for each in conditions]


def _without(pairs: Pairs, condition: Condition) -> Pairs:
    name, op = condition.column.name, condition.op
    gone = {f"{name}[{op}]", "cursor", "page"} | ({name} if op == "eq" else set())
    return [each for each in pairs if each[0] not in gone]


def _told(condition: Condition) -> str:
    label, kind = condition.column.declared.label, condition.column.type.name
    if condition.op == "isnull":
        return f"{label} {'is empty' if condition.values[0] else 'is not empty'}"
    if kind == "date":
        words = {"gte": "from", "lte": "to", "gt": "after", "lt": "before"}
        values = [spoken(text) for text in condition.texts]
        return f"{label} {words.get(condition.op, WORDS[condition.op])} {' and '.join(values)}"
    values = [euros(text) if kind == "money" else text for text in condition.texts]
    joint = " and " if condition.op == "between" else " or "
    return f"{label} {WORDS[condition.op]} {joint.join(values)}"


def page(pairs: Pairs, **changes: str | None) -> str:
    """Return the address of the page with these parameters, some changed or (none) taken away."""
    return collections.link(PAGE, pairs, **changes)


def api(pairs: Pairs) -> str:
    """Return the path at which the API gives the same."""
    path = f"{expenses.path}/aggregates" if is_grouped(pairs) else expenses.path
    return address(path, pairs, safe=SAFE_IN_BODY)


def download(pairs: Pairs) -> str:
    """Return the address of the file with all that is shown, beyond the page too."""
    gone = {"cursor", "page", "limit", "count", "totals", "format"}
    kept = [each for each in pairs if each[0] not in gone]
    return address(f"{PAGE}.csv", [*kept, ("format", "csv")], safe=SAFE_IN_BODY)


def groupings(pairs: Pairs) -> list[tuple[str, str, bool]]:
    """Return what rows can be grouped by: words, address, and whether they are now."""
    rows, by = filters_of(pairs), dict(pairs).get("by", "")
    offered = [("Nothing", "")]
    for column in expenses.columns.values():
        declared = column.declared
        if declared.groupable and not declared.buckets:
            offered.append((declared.label, column.name))
    for column in expenses.columns.values():
        buckets = reversed(column.declared.buckets)
        offered += [(each.capitalize(), f"{each}({column.name})") for each in buckets]
    return [
        (words, page([*rows, ("by", key)] if key else rows), key == by) for words, key in offered
    ]


def sort_change(current: Mapping[str, bool], name: str, *, is_figure: bool) -> str:
    """Return the sort that a heading's link asks for: figures begin with the greatest."""
    descending = not current[name] if name in current else is_figure
    return f"-{name}" if descending else name


def mistakes(errors: Iterable[Mapping[str, Any]]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the sentences for the fields of the form, and those that belong to none."""
    at_fields: dict[str, list[str]] = {}
    elsewhere = []
    for each in errors:
        name = str(each.get("parameter", ""))
        words = str(each["detail"])
        if suggestion := each.get("suggestion"):
            words += f" Perhaps {suggestion} is meant."
        if name in FORM:
            at_fields.setdefault(name, []).append(words)
        else:
            elsewhere.append(f"{name}: {words}")
    return at_fields, elsewhere
