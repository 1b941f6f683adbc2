"""Moments as a clock on the wall showed them: without a zone, and never moved between zones."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func

from backend.core.collections.times import Date
from backend.core.collections.types import ORDERED, Refused, Type

_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})")
# The same for those who read the documents: days that there are, and times of day.
_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_LEAP = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][48]|[2468]0|[13579][26])00)"
_LONG, _SHORT = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])", "(0[469]|11)-(0[1-9]|[12][0-9]|30)"
DAY = f"({_YEAR}-({_LONG}|{_SHORT}|02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
TIME = "[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"


@dataclass(frozen=True)
class LocalTimestamp(Type):
    """A date and a time of day; a bare date stands for the whole day."""

    name = "local timestamp"
    plural = "Local times"
    operators = ORDERED
    has_days = True

    def parse(self, text: str) -> date | datetime:
        """Return the moment, or the day when only a date is written."""
        if "T" not in text.upper():
            return Date().parse(text)
        found = _MOMENT.fullmatch(text)
        if found is None:
            hint = "Local times look like 2024-03-01T14:00:00, without Z or offset."
            near = re.sub(r"(?<=:[0-9]{2}:[0-9]{2})([Zz]|[+-][0-9:]+)$", "", text)
            raise Refused(hint, near if near != text and _MOMENT.fullmatch(near) else None)
        Date().parse(found[1])
        try:
            return datetime.fromisoformat(text.upper())
        except ValueError:
            raise Refused("There is no such time of day.") from None

    def day_start(self, day: date, zone: str) -> datetime:  # noqa: ARG002  the parent's signature
        """Return midnight, whatever the zone."""
        return datetime(day.year, day.month, day.day)  # noqa: DTZ001  it has none

    def day_end(self, day: date, zone: str) -> datetime:
        """Return the midnight that follows."""
        return self.day_start(day + timedelta(days=1), zone)

    def wire(self, value: Any) -> str:
        """Return the moment without a zone, or the day."""
        return str(value.isoformat())

    def shown(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the text without a zone."""
        return func.to_char(column, 'YYYY-MM-DD"T"HH24:MI:SS')

    def schema(self) -> dict[str, Any]:
        """Return a string; the registered form of a date and time would have a zone."""
        return {
            "type": "string",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$",
        }

    def operand(self) -> dict[str, Any]:
        """Return the same, or a day."""
        return {"type": "string", "pattern": f"^{DAY}({TIME})?$"}

    def sample(self) -> str:
        """Return a moment."""
        return "2024-03-01T14:00:00"
