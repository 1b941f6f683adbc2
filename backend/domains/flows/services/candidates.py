"""The occurrences of some MPANs and serials in order of time, from one position on."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    func,
    literal_column,
    select,
    text,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowReading
from backend.domains.flows.services.projection import (
    Occurrence,
    Position,
    said,
    with_standing,
)
from backend.domains.flows.services.terms import KEYS, Keys, Place, keys_in

Direction = Literal["older", "newer"]
# The planner, who knows only how many readings a key has on average, may else gather all of a key's
# in a bitmap to sort them, and some serials ("0", "UNKNOWN") stand at very many meters.
WALK_INDEXES = text("set local enable_bitmapscan = off")


class Span(NamedTuple):
    """The times between which to look, the second one left out."""

    start: datetime | None = None
    end: datetime | None = None


class _Shape(NamedTuple):
    """What a query's text depends on; all else are its parameters."""

    direction: Direction
    has_mpans: bool
    has_serials: bool
    has_start: bool
    has_end: bool
    has_position: bool


def following(
    found: Keys, span: Span, *, position: Position | None, direction: Direction, size: int
) -> list[Occurrence]:
    """Return the next occurrences after the position, each with its standing.

    Test files' readings are among them, so that fewer than were asked for means the end. Of each
    key no more are read than are asked for, and those of the same time as the last of them.
    """
    shape = _Shape(
        direction,
        bool(found.mpans),
        bool(found.serials),
        span.start is not None,
        span.end is not None,
        position is not None,
    )
    if not (shape.has_mpans or shape.has_serials):
        return []
    parameters = {"mpans": found.mpans, "serials": found.serials, "size": size, "skip": size - 1}
    parameters |= span._asdict() | (position._asdict() if position else {})
    db.session.execute(WALK_INDEXES)
    rows = db.session.execute(_query(shape), parameters)
    return [Occurrence._make(row) for row in rows]


@cache
def _query(shape: _Shape) -> Select[Any]:
    """Build the query once for each shape: building costs more time than its work."""
    arms = []
    if shape.has_mpans:
        arms.append(_arm("mpan", "mpans", shape))
    if shape.has_serials:
        # What was found by its MPAN is not found by its serial again.
        mpans = bindparam("mpans", type_=ARRAY(Text))
        others = [FlowReading.mpan != func.all(mpans)] if shape.has_mpans else []
        arms.append(_arm("serial_key", "serials", shape, *others))
    merged = union_all(*arms).subquery("merged")
    nearest = (
        select(merged)
        .order_by(*_order(merged, shape.direction))
        .limit(bindparam("size"))
        .cte("nearest")
    )
    return with_standing(nearest).order_by(*_order(nearest, shape.direction))


def _arm(place: Place, name: str, shape: _Shape, *others: ColumnElement[bool]) -> Select[Any]:
    """Return the nearest occurrences of each key of a parameter."""
    wanted = keys_in(name)
    edge = _edge(place, wanted, shape)
    time = FlowReading.reading_at_local
    of_key = (
        said()
        .where(KEYS[place] == wanted.c.key, *_bounds(time, shape), *_beyond(shape), *others)
        .where(time >= edge if shape.direction == "older" else time <= edge)
        .order_by(*_in_order(_PLACE, shape.direction))
        .limit(bindparam("size"))
        .lateral(f"of_{name}")
    )
    return select(of_key).select_from(wanted).join(of_key, true())


def _edge(place: Place, wanted: FromClause, shape: _Shape) -> ColumnElement[datetime]:
    """Return the time of the last row that is needed of a key, from its index alone.

    Without it all readings of a key would be read with their files, and sorted.
    """
    other = aliased(FlowReading)
    time = other.reading_at_local
    position = _POSITION[0]
    bounds = _bounds(time, shape)
    if shape.has_position:
        bounds.append(time < position if shape.direction == "older" else time > position)
    last = (
        select(time)
        .where(getattr(other, place) == wanted.c.key, *bounds)
        .order_by(*_in_order([time], shape.direction))
        .offset(bindparam("skip"))
        .limit(1)
        .correlate(wanted)
        .scalar_subquery()
    )
    end_of_time = "-infinity" if shape.direction == "older" else "infinity"
    return func.coalesce(last, literal_column(f"timestamp '{end_of_time}'"))


_PLACE = (
    FlowReading.reading_at_local,
    FlowFile.created_at_local,
    FlowReading.file_id,
    FlowReading.line_number,
)
_POSITION = (
    bindparam("reading_at_local", type_=DateTime),
    bindparam("created_at_local", type_=DateTime),
    bindparam("file_id", type_=BigInteger),
    bindparam("line_number", type_=Integer),
)


def _bounds(time: InstrumentedAttribute[datetime], shape: _Shape) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    if shape.has_start:
        bounds.append(time >= bindparam("start"))
    if shape.has_end:
        bounds.append(time < bindparam("end"))
    return bounds


def _beyond(shape: _Shape) -> list[ColumnElement[bool]]:
    """Return the conditions that a row comes after the position.

    The time alone, which the comparison of all implies, is what bounds the walk on the index.
    """
    if not shape.has_position:
        return []
    time, position = FlowReading.reading_at_local, tuple_(*_POSITION)
    if shape.direction == "older":
        return [time <= _POSITION[0], tuple_(*_PLACE) < position]
    return [time >= _POSITION[0], tuple_(*_PLACE) > position]


def _order(rows: FromClause, direction: Direction) -> list[ColumnElement[Any]]:
    return _in_order([rows.c[name] for name in Position._fields], direction)


def _in_order(columns: Sequence[Any], direction: Direction) -> list[ColumnElement[Any]]:
    return [each.desc() if direction == "older" else each.asc() for each in columns]
