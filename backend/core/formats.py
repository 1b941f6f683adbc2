"""How values are written for people: dates, numbers, sizes and meter points."""

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

HERE = ZoneInfo("Europe/London")
NOTHING = "\N{EN DASH}"
UNITS = ("bytes", "kB", "MB", "GB", "TB")
THOUSAND = 1000
SIGNS = {"EUR": "€", "GBP": "£"}


def local(moment: datetime | date | None) -> str:
    """Return a moment in local time, such as `3 Mar 2026, 09:05`; at midnight the date only.

    A moment without a zone is local already.
    """
    if moment is None:
        return NOTHING
    if not isinstance(moment, datetime):
        return f"{moment.day} {moment:%b %Y}"
    if moment.tzinfo is not None:
        moment = moment.astimezone(HERE)
    if moment.time() == time.min:
        return local(moment.date())
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return f"{local(moment.date())}, {clock}"


def number(value: float | Decimal | None) -> str:
    """Return a number with thousands separators and all the decimals that it has."""
    return NOTHING if value is None else f"{value:,}"


def money(value: Decimal | None, currency: str) -> str:
    """Return an amount with its currency's sign before it, or else its code behind it."""
    if value is None:
        return NOTHING
    if currency in SIGNS:
        return f"{'-' if value < 0 else ''}{SIGNS[currency]}{abs(value):,}"
    return f"{value:,} {currency}".rstrip()


def percent(share: Decimal | None) -> str:
    """Return a share of one as people say it."""
    return NOTHING if share is None else f"{share * 100:.1f} %"


def size(count: int | None) -> str:
    """Return a number of bytes in the unit that people would use."""
    if count is None:
        return NOTHING
    amount, power = float(count), 0
    while amount >= THOUSAND and power < len(UNITS) - 1:
        amount, power = amount / THOUSAND, power + 1
    return f"{count} bytes" if power == 0 else f"{amount:.1f} {UNITS[power]}"


def mpan(core: str | None) -> str:
    """Return an MPAN in the groups in which it is printed on a bill."""
    if core is None:
        return NOTHING
    return f"{core[:2]} {core[2:6]} {core[6:10]} {core[10:]}".rstrip()


FILTERS: dict[str, Callable[[Any], str]] = {
    "local": local,
    "number": number,
    "size": size,
    "mpan": mpan,
}
