"""Instants of a flow: fourteen digits of Europe/London clock time."""

import re
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_INSTANT = re.compile(r"[0-9]{8}(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]")
_LONDON = ZoneInfo("Europe/London")
_EARLIEST, _LATEST = "1950", "2199"
_CACHED = 20_000


class _Day(NamedTuple):
    text: str
    has_clock_change: bool


class Instants:
    """Reads instants, remembering a bounded number of them."""

    def __init__(self, created: str) -> None:
        self._created = created
        self._days: dict[str, _Day | None] = {}
        self.clean: dict[str, str] = {}

    def read(self, text: str) -> str | None:
        """Return an instant as PostgreSQL takes it, or None when there is no such instant."""
        if not _INSTANT.fullmatch(text):
            return None
        day = self._day(text[:8])
        return f"{day.text} {text[8:10]}:{text[10:12]}:{text[12:]}" if day else None

    def read_clean(self, text: str) -> str | None:
        """Return an instant that nothing at all is to be said about, or None."""
        instant = self.read(text)
        if instant is None or self.is_after_creation(text) or self.clock_change(text):
            return None
        if len(self.clean) >= _CACHED:
            self.clean.clear()
        self.clean[text] = instant
        return instant

    def is_after_creation(self, text: str) -> bool:
        """Tell whether an instant lies after the creation of its file."""
        return text > self._created

    def clock_change(self, text: str) -> str:
        """Return "gap" or "twice" for a clock time that a change of the clocks skips or repeats."""
        day = self._day(text[:8])
        if not day or not day.has_clock_change:
            return ""
        local = datetime.fromisoformat(f"{text[:8]}T{text[8:]}")
        first, second = (local.replace(tzinfo=_LONDON, fold=fold).utcoffset() for fold in (0, 1))
        if first == second:
            return ""
        return "gap" if first is None or second is None or first < second else "twice"

    def _day(self, text: str) -> _Day | None:
        try:
            return self._days[text]
        except KeyError:
            if len(self._days) >= _CACHED:
                self._days.clear()
            return self._days.setdefault(text, _read_day(text))


def _read_day(text: str) -> _Day | None:
    if not _EARLIEST <= text[:4] <= _LATEST:
        return None
    try:
        midnight = datetime.fromisoformat(f"{text}T000000").replace(tzinfo=_LONDON)
    except ValueError:
        return None
    has_change = midnight.utcoffset() != (midnight + timedelta(days=1)).utcoffset()
    return _Day(f"{text[:4]}-{text[4:6]}-{text[6:]}", has_change)


def parse_created(text: str) -> datetime | None:
    """Return the creation time of a file, or None when there is no such instant."""
    instant = Instants("").read(text)
    return datetime.fromisoformat(instant) if instant else None
