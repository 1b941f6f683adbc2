"""What a person types to find a meter, and the MPANs and serials that it may stand for."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    Select,
    TableValuedAlias,
    Text,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from backend.core.database import db
from backend.domains.flows import d0010
from backend.domains.flows.models import FlowFile, FlowMeter, FlowReading
from backend.domains.flows.services.projection import NEWEST_FIRST

MPAN_DIGITS = 13
SHORTEST_PREFIX = 4
MOST_KEYS = 100
MOST_NAMED_METERS = 1000

Kind = Literal["mpan", "digits", "serial"]
Place = Literal["mpan", "serial_key"]
KEYS: dict[Place, InstrumentedAttribute[str]] = {
    "mpan": FlowReading.mpan,
    "serial_key": FlowReading.serial_key,
}


@dataclass(frozen=True)
class Term:
    """What was typed, without spaces and in capitals, as the file's serials are compared."""

    text: str

    @classmethod
    def of(cls, typed: str) -> "Term":
        """Return the term that a person means, whatever its spaces and case."""
        return cls(d0010.serial_key(typed))

    @property
    def kind(self) -> Kind:
        """Thirteen digits are an MPAN, fewer the beginning of one or of a serial."""
        is_number = self.text.isascii() and self.text.isdigit()
        if not is_number or len(self.text) > MPAN_DIGITS:
            return "serial"
        return "mpan" if len(self.text) == MPAN_DIGITS else "digits"

    @property
    def is_findable(self) -> bool:
        """Whether a file could hold it: serials are ASCII, and the database has no NUL."""
        return self.text.isascii() and self.text.isprintable()

    @property
    def is_prefix(self) -> bool:
        """Whether it may be the beginning of something longer."""
        return self.kind != "mpan" and len(self.text) >= SHORTEST_PREFIX

    @property
    def has_wrong_check_digit(self) -> bool:
        """Whether this looks like an MPAN but was mistyped or misread."""
        return self.kind == "mpan" and d0010.has_valid_check_digit(self.text) is False

    @property
    def range(self) -> dict[str, str]:
        """The texts that are this or begin with it: from `low`, before `high`, by their bytes."""
        high = after(self.text) if self.is_prefix else self.text + "\x01"
        return {"low": self.text, "high": high}


@dataclass(frozen=True)
class Keys:
    """The MPANs and serials that a term stands for; `has_more` when they are too many to merge."""

    mpans: list[str]
    serials: list[str]
    has_more: bool = False

    def __len__(self) -> int:
        return len(self.mpans) + len(self.serials)


class Meter(NamedTuple):
    """A meter at an MPAN, with the time of its newest reading if it has any."""

    mpan: str
    serial: str
    serial_key: str
    newest: datetime | None


def after(prefix: str) -> str:
    """Return the first text, by bytes, that no longer begins with the prefix, which is ASCII."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def keys(term: Term) -> Keys:
    """Return what the term stands for, looking at no more keys than can be merged for a page."""
    if not term.is_findable:
        return Keys(mpans=[], serials=[])
    if term.kind == "mpan":
        return Keys(mpans=[term.text], serials=[term.text])
    if not term.is_prefix:
        return Keys(mpans=[], serials=[term.text])
    serials = _distinct(term, "serial_key")
    mpans = _distinct(term, "mpan") if term.kind == "digits" else []
    has_more = len(mpans) + len(serials) > MOST_KEYS
    return Keys(mpans=mpans[:MOST_KEYS], serials=serials[:MOST_KEYS], has_more=has_more)


def _distinct(term: Term, place: Place) -> list[str]:
    return list(db.session.scalars(_skipping(place), term.range))


def _fits(place: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    return and_(place >= bindparam("low"), place < bindparam("high"))


@cache
def _skipping(place: Place) -> Select[tuple[str]]:
    """Skip from each key to the next by the index: the readings between are never looked at."""
    key = KEYS[place]
    first = select(key.label("key")).where(_fits(key)).order_by(key).limit(1)
    found = first.cte("found", recursive=True)
    following = (
        select(key)
        .where(key > found.c.key, key < bindparam("high"))
        .order_by(key)
        .limit(1)
        .scalar_subquery()
    )
    found = found.union_all(select(following).where(found.c.key.is_not(None)))
    return select(found.c.key).where(found.c.key.is_not(None)).limit(MOST_KEYS + 1)


def keys_in(parameter: str) -> TableValuedAlias:
    """Return the keys that a parameter lists as a table of one column, `key`."""
    listed = func.unnest(bindparam(parameter, type_=ARRAY(Text)))
    return listed.table_valued("key", name=f"wanted_{parameter}").render_derived()


def meters(found: Keys) -> list[Meter]:
    """Return, for each key, the meter of its newest reading: by MPAN, then by serial."""
    if not found:
        return []
    rows = db.session.execute(_newest(), {"mpans": found.mpans, "serials": found.serials})
    return sorted({Meter._make(row) for row in rows}, key=lambda each: each[:3])


@cache
def _newest() -> CompoundSelect[Any]:
    return union_all(_newest_of("mpan", "mpans"), _newest_of("serial_key", "serials"))


def _newest_of(place: Place, parameter: str) -> Select[tuple[str, str, str, datetime]]:
    wanted = keys_in(parameter)
    newest = (
        select(
            FlowReading.mpan,
            FlowReading.serial,
            FlowReading.serial_key,
            FlowReading.reading_at_local,
        )
        .join(FlowFile, FlowFile.id == FlowReading.file_id)
        .where(KEYS[place] == wanted.c.key, FlowFile.is_test.is_(False))
        .order_by(*NEWEST_FIRST)
        .limit(1)
        .lateral("newest")
    )
    return select(newest).select_from(wanted).join(newest, true())


def meters_without_readings(term: Term) -> list[Meter]:
    """Return the meters that files name for the term and of which no reading was ever accepted."""
    if not term.is_findable:
        return []
    rows = db.session.execute(_unread(), term.range)
    return [Meter._make((*row, None)) for row in rows]


@cache
def _unread() -> Select[tuple[str, str, str]]:
    named = (
        select(FlowMeter.mpan, FlowMeter.serial, FlowMeter.serial_key)
        .join(FlowFile, FlowFile.id == FlowMeter.file_id)
        .where(
            or_(_fits(FlowMeter.mpan), _fits(FlowMeter.serial_key)),
            FlowFile.is_test.is_(False),
        )
        .limit(MOST_NAMED_METERS)
        .subquery("named")
    )
    has_reading = exists().where(
        FlowReading.mpan == named.c.mpan, FlowReading.serial_key == named.c.serial_key
    )
    return (
        select(named.c.mpan, func.min(named.c.serial), named.c.serial_key)
        .where(~has_reading)
        .group_by(named.c.mpan, named.c.serial_key)
        .order_by(named.c.mpan, named.c.serial_key)
        .limit(MOST_KEYS)
    )
