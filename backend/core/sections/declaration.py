"""What a domain declares of a section: a collection, how it looks, and what can be done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.core.auth import Identity
from backend.core.collections import Collection

Record = Mapping[str, Any]
Values = dict[str, Any]
Pairs = list[tuple[str, str]]


def always(_record: Record, _identity: Identity) -> bool:
    """Offer the action with every record."""
    return True


def nothing_more(_key: Any) -> list[tuple[str, Any]]:
    """Tell nothing beside the collection's columns."""
    return []


def no_context() -> dict[str, Any]:
    """Give the template nothing of the domain's own."""
    return {}


@dataclass(frozen=True)
class Input:
    """A field of an action's form. Its kind is text, choice, choices (several) or check."""

    name: str
    label: str
    kind: str = "text"
    hint: str = ""
    is_required: bool = False
    longest: int = 200
    choices: tuple[tuple[str, str], ...] = ()
    initial: Callable[[Record], Any] = lambda _: ""


@dataclass(frozen=True)
class Action:
    """Something that can be done with a record: a form that calls one service.

    `call` gets the record's key, who asks, and the values of the declared inputs alone; the
    service checks whether it may be done, and audits it. `path` is the address below the record,
    a noun. `sentence` says before the button what will happen, `done` afterwards that it has.
    `offered` decides with which records the form stands. With `in_list` there is a button in each
    row of the list as well, and `to_list` leads back there.
    """

    name: str
    label: str
    path: str
    call: Callable[[Any, Identity, Values], object]
    sentence: str
    done: str
    inputs: tuple[Input, ...] = ()
    offered: Callable[[Record, Identity], bool] = always
    is_dangerous: bool = False
    in_list: bool = False
    to_list: bool = False


@dataclass(frozen=True, eq=False)
class Section:
    """The pages of a collection for people: its list, its groups, and one for each record.

    `name` and `singular` name the endpoints (`show_people`, `show_person`, `disable_person`).
    `columns` stand in the list, all when none are named; the column `main` leads to the record.
    `filters` are the parameters that the form has, else those that people use of each column.
    `choices` find what may be chosen for such a parameter; where they find nothing it is typed.
    `start` is what is shown when nothing is asked for. `figures` are the metrics of groups; without
    them there are no groups. `links` say where a column's value leads, `badges` which values are
    good, a warning or bad. `writers` write a column's values in the way of the domain, and `kinds`
    say which of them look like a number or a code, whatever their type. `buttons` lead elsewhere,
    by endpoint. `more` adds to a record what is no column. `record` is the endpoint
    of a page of the domain's own for a record, with the name of its argument. A template of the
    domain's own extends `sections/list.html`, with `context`.
    """

    collection: Collection
    name: str
    singular: str
    main: str
    columns: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    start: tuple[tuple[str, str], ...] = ()
    figures: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    choices: Mapping[str, Callable[[], Sequence[str]]] = field(default_factory=dict)
    links: Mapping[str, Callable[[Record], str | None]] = field(default_factory=dict)
    badges: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    writers: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    buttons: tuple[tuple[str, str], ...] = ()
    empty: str = "Nothing here yet."
    more: Callable[[Any], list[tuple[str, Any]]] = nothing_more
    record: tuple[str, str] | None = None
    template: str = "sections/list.html"
    context: Callable[[], dict[str, Any]] = no_context

    @property
    def shown(self) -> tuple[str, ...]:
        """Return the columns of the list."""
        return self.columns or tuple(self.collection.columns)
