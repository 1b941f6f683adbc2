"""Dates and instants: a bare date stands for a whole local day wherever an instant is compared."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func

from backend.core.collections.types import ORDERED, Refused, Type

_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_AMERICAN = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
# Both ends leave room for every offset, so that no conversion between zones can overflow.
FIRST, LAST = date(1, 1, 3), date(9999, 12, 28)


@dataclass(frozen=True)
class Date(Type):
    """A day of the calendar."""

    name = "date"
    plural = "Dates"
    operators = ORDERED

    def parse(self, text: str) -> date:
        """Return the day written as YYYY-MM-DD."""
        if not (found := _DATE.fullmatch(text)):
            raise Refused(*_misread_date(text))
        return _day(*map(int, found.groups()))

    def schema(self) -> dict[str, Any]:
        """Return a string in the form of a date."""
        return {"type": "string", "format": "date"}

    def sample(self) -> str:
        """Return a day."""
        return "2024-03-01"


@dataclass(frozen=True)
class Timestamp(Type):
    """An instant, kept in UTC."""

    name = "timestamp"
    plural = "Timestamps"
    operators = ORDERED
    has_days = True

    def parse(self, text: str) -> date | datetime:
        """Return the instant, or the day when only a date is written."""
        if found := _DATE.fullmatch(text):
            return _day(*map(int, found.groups()))
        return self.instant(text)

    def instant(self, text: str) -> datetime:
        """Return the instant written with `Z` or an offset."""
        found = _INSTANT.fullmatch(text)
        if found is None:
            raise Refused(*_misread_instant(text))
        if found[4] is None:
            raise Refused("An instant needs Z or an offset.", text + "Z")
        _day(*map(int, found[1].split("-")))
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Refused("There is no such time of day or offset.") from None

    def day_start(self, day: date, zone: str) -> datetime:
        """Return the instant at which the day begins in the zone."""
        return day_start(day, zone)

    def day_end(self, day: date, zone: str) -> datetime:
        """Return the instant at which the next day begins in the zone."""
        return day_end(day, zone)

    def load(self, content: Any) -> datetime:
        """Return the instant of a body: there a day is not enough."""
        if not isinstance(content, str):
            raise Refused("A string such as “2024-03-01T14:00:00Z” is expected.")
        return self.instant(content)

    def wire(self, value: Any) -> str:
        """Return the instant in UTC with `Z`, or the day."""
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return str(value)

    def shown(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the text in UTC with `Z`, and microseconds where there are any."""
        text = func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        return func.replace(text, ".000000Z", "Z")

    def schema(self) -> dict[str, Any]:
        """Return a string in the form of an instant."""
        return {"type": "string", "format": "date-time"}

    def sample(self) -> str:
        """Return an instant."""
        return "2024-03-01T14:00:00Z"


def day_start(day: date, zone: str) -> datetime:
    """Return the instant at which the day begins in the zone."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def day_end(day: date, zone: str) -> datetime:
    """Return the instant at which the next day begins in the zone."""
    return day_start(day + timedelta(days=1), zone)


def _day(year: int, month: int, day: int) -> date:
    try:
        found = date(year, month, day)
    except ValueError:
        raise Refused("There is no such day.") from None
    if not FIRST <= found <= LAST:
        raise Refused(f"Between {FIRST} and {LAST} is expected.", code="out_of_range")
    return found


def _misread_date(text: str) -> tuple[str, str | None]:
    if found := _AMERICAN.fullmatch(text):
        month, day, year = map(int, found.groups())
        try:
            suggestion = date(year, month, day).isoformat()
        except ValueError:
            return "Dates are YYYY-MM-DD.", None
        return "Dates are YYYY-MM-DD; this looks like M/D/YYYY.", suggestion
    if (found := _INSTANT.fullmatch(text)) is not None:
        return "Dates are YYYY-MM-DD, without a time.", found[1]
    return "Dates are YYYY-MM-DD.", None


def _misread_instant(text: str) -> tuple[str, str | None]:
    repaired = re.sub(r" ([0-9]{2}:[0-9]{2})$", r"%2B\1", text)
    if repaired != text and _INSTANT.fullmatch(repaired.replace("%2B", "+")):
        return "A plus sign in an address is a blank: write it as %2B, or use Z.", repaired
    joined = text.replace(" ", "T", 1)
    if _INSTANT.fullmatch(joined):
        return "Date and time are joined by T.", joined if joined[-1] in "Zz" else joined + "Z"
    detail, suggestion = _misread_date(text)
    hint = "Timestamps look like 2024-03-01T14:00:00Z, or 2024-03-01 for the whole day."
    return (detail, suggestion) if suggestion else (hint, None)
