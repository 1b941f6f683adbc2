"""When a task that repeats is due: every so often, or when a crontab says so, in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS_BACK = 7  # A tick that was missed for longer is not made up for.

BOUNDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


class BadCrontab(ValueError):
    """The text is no crontab of five fields."""


@dataclass(frozen=True)
class Every:
    """Due once in each period, counted from 1970."""

    period: timedelta

    def latest(self, now: datetime) -> datetime | None:
        """Return the last moment at which it was due, up to and with `now`."""
        return now - (now - EPOCH) % self.period


@dataclass(frozen=True)
class Crontab:
    """Due at every minute that the five fields name: minute, hour, day, month, weekday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @classmethod
    def parse(cls, text: str) -> "Crontab":
        """Return the crontab of `*`, numbers, ranges, steps and lists, as cron(8) reads them.

        :raises BadCrontab: when it is none
        """
        parts = text.split()
        if len(parts) != len(BOUNDS):
            raise BadCrontab(f"{text!r} has {len(parts)} fields instead of {len(BOUNDS)}")
        minutes, hours, days, months, weekdays = (
            _numbers(part, *bounds) for part, bounds in zip(parts, BOUNDS.values(), strict=True)
        )
        # As in cron, a day counts by either field once both of them are restricted.
        either = not parts[2].startswith("*") and not parts[4].startswith("*")
        sundays = frozenset(each % 7 for each in weekdays)
        return cls(minutes, hours, days, months, sundays, either)

    def latest(self, now: datetime) -> datetime | None:
        """Return the last moment at which it was due in the past week, if there was one."""
        for back in range(DAYS_BACK + 1):
            day = (now - timedelta(days=back)).date()
            if not self._has_day(day.month, day.day, day.isoweekday() % 7):
                continue
            for hour in sorted(self.hours, reverse=True):
                for minute in sorted(self.minutes, reverse=True):
                    moment = datetime.combine(day, time(hour, minute), UTC)
                    if moment <= now:
                        return moment
        return None

    def _has_day(self, month: int, day: int, weekday: int) -> bool:
        if month not in self.months:
            return False
        if self.either_day:
            return day in self.days or weekday in self.weekdays
        return day in self.days and weekday in self.weekdays


Schedule = Every | Crontab


def schedule(every: timedelta | str | None) -> Schedule | None:
    """Return the schedule of a period or of a crontab's text."""
    if every is None:
        return None
    return Every(every) if isinstance(every, timedelta) else Crontab.parse(every)


def latest_due(plan: Schedule, now: datetime) -> datetime | None:
    """Return the latest tick that is still to be made up for, if there is one."""
    tick = plan.latest(now)
    return tick if tick and now - tick <= timedelta(days=DAYS_BACK) else None


def _numbers(text: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        try:
            start, stop = (low, high) if span == "*" else (int(first), int(last or first))
            if step and not last and span != "*":
                stop = high
            numbers = range(start, stop + 1, int(step or 1))
        except ValueError as error:
            raise BadCrontab(f"{part!r} is no number, range or step") from error
        if not numbers or numbers[0] < low or numbers[-1] > high:
            raise BadCrontab(f"{part!r} is outside {low}-{high}")
        found.update(numbers)
    return frozenset(found)
