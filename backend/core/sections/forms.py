"""The filter form of a list: from each declared column the operators that people use."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.core import collections
from backend.core.collections import Collection, Filter
from backend.core.sections.asking import MOMENTS, Asked
from backend.core.sections.cells import spoken
from backend.core.sections.declaration import Pairs, Section

AT_FIRST = 8
ISO_DAY = len("2024-03-01")


@dataclass(frozen=True)
class Field:
    """One input of the form."""

    name: str
    label: str
    kind: str
    value: str
    choices: tuple[tuple[str, str], ...]
    errors: tuple[str, ...]

    @property
    def is_used(self) -> bool:
        """Whether something was asked for or went wrong here."""
        return bool(self.value or self.errors)


@dataclass(frozen=True)
class Form:
    """The inputs: those that stand there at first, further ones, and what is kept unseen."""

    first: list[Field]
    further: list[Field]
    hidden: Pairs

    @property
    def is_open(self) -> bool:
        """Whether one of the further inputs is in use."""
        return any(each.is_used for each in self.further)

    @property
    def has_mistakes(self) -> bool:
        """Whether one of the inputs is marked."""
        return any(each.errors for each in self.first + self.further)


def names(section: Section) -> tuple[str, ...]:
    """Return the parameters of the form's inputs."""
    return section.filters or tuple(
        parameter
        for column in section.collection.columns.values()
        for parameter in _usual(column.name, column.operators)
    )


def _usual(name: str, operators: tuple[str, ...]) -> list[str]:
    if "gte" in operators:
        return [f"{name}[gte]", f"{name}[lte]"]
    for op in ("contains", "startswith"):
        if op in operators:
            return [f"{name}[{op}]"]
    return [name] if "eq" in operators else []


def form(asked: Asked, errors: Mapping[str, list[str]]) -> Form:
    """Return the form as the collection declares it, filled with what was asked."""
    section, given = asked.section, dict(asked.pairs)
    known = {each.parameter: each for each in collections.filters(section.collection)}
    wanted = names(section)
    fields = [
        _field(section, known[name], given.get(name, ""), tuple(errors.get(name, ())))
        for name in wanted
    ]
    gone = {*wanted, "cursor", "page", "tz"}
    hidden = [each for each in asked.pairs if each[0] not in gone]
    return Form(fields[:AT_FIRST], fields[AT_FIRST:], hidden)


def _field(section: Section, declared: Filter, value: str, errors: tuple[str, ...]) -> Field:
    label, kind = _label(section.collection, declared), declared.type
    choices = _choices(section, declared)
    if choices and value and value not in dict(choices):
        choices = (*choices, (value, value))
    if kind in MOMENTS:
        # An input for days could not show anything else that stands in the address.
        is_day = not errors and len(value) in {0, ISO_DAY}
        kind = "date" if is_day else "text"
    elif kind in {"integer", "decimal", "money"}:
        kind = "number"
    return Field(declared.parameter, label, kind, value, choices, errors)


def _choices(section: Section, declared: Filter) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    if declared.type == "boolean":
        found = [("true", "Yes"), ("false", "No")]
    elif declared.choices:
        found = [(each, spoken(each)) for each in declared.choices]
    elif declared.parameter in section.choices:
        found = [(each, each) for each in section.choices[declared.parameter]()]
    return (("", "All"), *found) if found else ()


def _label(collection: Collection, declared: Filter) -> str:
    column = collection.columns[declared.column]
    label = column.declared.label
    if declared.op == "eq":
        return label
    if declared.op in {"gte", "lte"} and column.type.name in MOMENTS:
        return f"{label}: {'from' if declared.op == 'gte' else 'to'}"
    return declared.label
