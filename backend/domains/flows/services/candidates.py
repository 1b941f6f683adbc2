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
    select,
    true,
    tuple_,
    union_all,
)

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

    Each key gives no more rows than are asked for, read in order from its index.
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
    parameters = {"mpans": found.mpans, "serials": found.serials, "size": size}
    parameters |= span._asdict() | (position._asdict() if position else {})
    rows = db.session.execute(_query(shape), parameters)
    return [Occurrence._make(row) for row in rows]


@cache
def _query(shape: _Shape) -> Select[Any]:
    """Build the query once for each shape: building costs more time than its work."""
    arms = []
    if shape.has_mpans:
        arms.append(_arm("mpan", "mpans", _bounds(shape), shape.direction))
    if shape.has_serials:
        bounds = _bounds(shape)
        if shape.has_mpans:
            # What was found by its MPAN is not found by its serial again.
            bounds.append(FlowReading.mpan != func.all(bindparam("mpans", type_=ARRAY(Text))))
        arms.append(_arm("serial_key", "serials", bounds, shape.direction))
    merged = union_all(*arms).subquery("merged")
    nearest = (
        select(merged)
        .order_by(*_order(merged, shape.direction))
        .limit(bindparam("size"))
        .cte("nearest")
    )
    return with_standing(nearest).order_by(*_order(nearest, shape.direction))


def _arm(
    place: Place, name: str, bounds: Sequence[ColumnElement[bool]], direction: Direction
) -> Select[Any]:
    """Return the nearest occurrences of each key of a parameter."""
    wanted = keys_in(name)
    of_key = (
        said()
        .where(KEYS[place] == wanted.c.key, FlowFile.is_test.is_(False), *bounds)
        .order_by(*_in_order(_PLACE, direction))
        .limit(bindparam("size"))
        .lateral("of_key")
    )
    return select(of_key).select_from(wanted).join(of_key, true())


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


def _bounds(shape: _Shape) -> list[ColumnElement[bool]]:
    bounds: list[ColumnElement[bool]] = []
    time = FlowReading.reading_at_local
    if shape.has_start:
        bounds.append(time >= bindparam("start"))
    if shape.has_end:
        bounds.append(time < bindparam("end"))
    # The time alone, which the comparison of all implies, is what bounds the walk on the index.
    if shape.has_position and shape.direction == "older":
        bounds += [time <= _POSITION[0], tuple_(*_PLACE) < tuple_(*_POSITION)]
    elif shape.has_position:
        bounds += [time >= _POSITION[0], tuple_(*_PLACE) > tuple_(*_POSITION)]
    return bounds


def _order(rows: FromClause, direction: Direction) -> list[ColumnElement[Any]]:
    return _in_order([rows.c[name] for name in Position._fields], direction)


def _in_order(columns: Sequence[Any], direction: Direction) -> list[ColumnElement[Any]]:
    return [each.desc() if direction == "older" else each.asc() for each in columns]
