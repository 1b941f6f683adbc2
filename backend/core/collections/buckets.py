"""Buckets of time: how they are called, which follow each other, and where each of them ends."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, Interval, bindparam, func, literal_column, select
from sqlalchemy import Text as SqlText

from backend.core.collections.declaration import Collection
from backend.core.collections.grouping import GroupKey
from backend.core.collections.query import Condition, is_day
from backend.core.collections.statements import run, statement
from backend.core.collections.times import Timestamp, day_end, day_start
from backend.core.database import Cursor

MONTHS = {"month": 1, "quarter": 3, "year": 12}

# A key is a date, or for instants a pair: the local start of the bucket, and that as an instant.
Key = Any


def label(key: GroupKey, value: Key) -> str | None:
    """Return the name of the bucket."""
    if value is None:
        return None
    start: Any = value[0] if isinstance(value, tuple) else value
    if key.bucket == "hour":
        offset = start.replace(tzinfo=UTC) - value[1]
        minutes = round(offset.total_seconds() / 60)
        sign = "-" if minutes < 0 else "+"
        return f"{start:%Y-%m-%dT%H:%M}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    day = start.date() if isinstance(start, datetime) else start
    if key.bucket == "week":
        year, week, _ = day.isocalendar()
        return f"{year:04}-W{week:02}"
    return {
        "year": f"{day.year:04}",
        "quarter": f"{day.year:04}-Q{(day.month + 2) // 3}",
        "month": f"{day.year:04}-{day.month:02}",
        "day": day.isoformat(),
    }[key.bucket or "day"]


def following(bucket: str, day: date) -> date:
    """Return the first day of the next bucket."""
    if bucket in MONTHS:
        months = day.year * 12 + day.month - 1 + MONTHS[bucket]
        return date(months // 12, months % 12 + 1, 1)
    return day + timedelta(days=7 if bucket == "week" else 1)


def first_day(bucket: str, day: date) -> date:
    """Return the first day of the bucket in which the day is."""
    if bucket == "week":
        return day - timedelta(days=day.weekday())
    if bucket in MONTHS:
        step = MONTHS[bucket]
        return date(day.year, (day.month - 1) // step * step + 1, 1)
    return day


def bounds(key: GroupKey, value: Key, zone: str) -> tuple[Any, Any]:
    """Return where the bucket begins and where the next one does, as the column's values."""
    if key.bucket == "hour":
        return value[1], value[1] + timedelta(hours=1)
    is_instant = isinstance(value, tuple)
    start: date = value[0].date() if is_instant else value
    end = following(key.bucket or "day", start)
    return (day_start(start, zone), day_start(end, zone)) if is_instant else (start, end)


def asked_bounds(key: GroupKey, conditions: tuple[Condition, ...], zone: str) -> tuple[Any, Any]:
    """Return the first and the last value that the filter lets through, none where it is open."""
    lows: list[Any] = []
    highs: list[Any] = []
    step: timedelta = (
        timedelta(microseconds=1) if isinstance(key.column.type, Timestamp) else timedelta(days=1)
    )
    for each in conditions:
        if each.column is not key.column or each.op in {"ne", "nin", "isnull"}:
            continue
        starts, ends = _extent(each, zone, step)
        if each.op not in {"lt", "lte"}:
            lows.append(ends[0] + step if each.op == "gt" else min(starts))
        if each.op not in {"gt", "gte"}:
            highs.append(starts[0] - step if each.op == "lt" else max(ends))
    return max(lows, default=None), min(highs, default=None)


def _extent(condition: Condition, zone: str, step: timedelta) -> tuple[list[Any], list[Any]]:
    if not isinstance(condition.column.type, Timestamp):
        return list(condition.values), list(condition.values)
    starts = [day_start(v, zone) if is_day(v) else v for v in condition.values]
    ends = [day_end(v, zone) - step if is_day(v) else v for v in condition.values]
    return starts, ends


def series(  # noqa: PLR0913, PLR0917  the two ends of a row of buckets
    cursor: Cursor,
    collection: Collection,
    key: GroupKey,
    first: Any,
    last: Any,
    zone: str,
    most: int,
) -> list[Key]:
    """Return the buckets from the first value's to the last one's, at most one more than most."""
    if key.bucket == "hour":
        return _hours(cursor, collection, first, last, zone, most)
    is_instant = isinstance(first, datetime)
    local = ZoneInfo(zone)
    days = [each.astimezone(local).date() if is_instant else each for each in (first, last)]
    found: list[Key] = []
    day = first_day(key.bucket or "day", days[0])
    while day <= days[1] and len(found) <= most:
        found.append((datetime.combine(day, time.min), day_start(day, zone)) if is_instant else day)
        day = following(key.bucket or "day", day)
    return found


def _hours(  # noqa: PLR0913, PLR0917  as its caller
    cursor: Cursor,
    collection: Collection,
    first: datetime,
    last: datetime,
    zone: str,
    most: int,
) -> list[Key]:
    """Return hours as PostgreSQL cuts them; a zone may shift by less than one."""

    def build() -> Any:
        text = SqlText()
        zone_ = bindparam("zone", type_=text)
        hour: Any = literal_column("'hour'")
        quarter = literal_column("interval '15 minutes'", Interval())
        ends = [bindparam(name, type_=DateTime(timezone=True)) for name in ("first", "last")]
        start = func.date_trunc(hour, ends[0], zone_)
        ticks = func.generate_series(start, ends[1], quarter).column_valued("tick")
        cut = func.date_trunc(hour, ticks, zone_)
        return select(cut, func.timezone(zone_, cut)).distinct().order_by(literal_column("1"))

    last = min(last, first + timedelta(hours=most + 1))
    prepared = statement(collection, ("hours",), build)
    return [
        (local, at)
        for at, local in run(cursor, prepared, {"first": first, "last": last, "zone": zone})
    ]
