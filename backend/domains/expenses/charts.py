"""A bar for each stretch of time: where it stands, how high it is, and what it is called."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil

from backend.core.formats import NOTHING

HEIGHT = 200
HEAD, FOOT = 24, 24
LEFT = 9.0
MOST_BARS = 120
MOST_NAMES = 12
TICKS = 4
THOUSAND, MILLION = 1_000, 1_000_000

_QUARTER = re.compile(r"(\d{4})-(Q\d)")
_WEEK = re.compile(r"(\d{4})-W(\d\d)")
_MONTH = re.compile(r"(\d{4})-(\d\d)")


@dataclass(frozen=True)
class Bar:
    """A bar; x and width in per cent, y and height in pixels. An empty name is not written."""

    x: str
    width: str
    middle: str
    y: int
    height: int
    title: str
    name: str
    is_extra: bool


@dataclass(frozen=True)
class Tick:
    """A line across, and what it stands for."""

    y: int
    text: str


@dataclass(frozen=True)
class Chart:
    """What a template needs to draw the bars."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    description: str
    height: int = HEAD + HEIGHT + FOOT
    base: int = HEAD + HEIGHT


def draw(values: list[tuple[str, Decimal]]) -> Chart | None:
    """Return the chart of these labels and amounts, or none where it would tell nothing."""
    highest = max((value for _, value in values), default=Decimal(0))
    if not 1 < len(values) <= MOST_BARS or highest <= 0:
        return None
    step = _step(highest)
    top = step * ceil(highest / step)
    return Chart(
        bars=tuple(_bar(values, at, top) for at in range(len(values))),
        ticks=tuple(
            Tick(HEAD + HEIGHT - int(HEIGHT * step * n / top), _short(step * n))
            for n in range(1, int(top / step) + 1)
        ),
        description=_description(values),
    )


def _bar(values: list[tuple[str, Decimal]], at: int, top: Decimal) -> Bar:
    label, value = values[at]
    share = (100 - LEFT) / len(values)
    height = int(HEIGHT * value / top)
    if value > 0:
        height = max(height, 1)
    every = ceil(len(values) / MOST_NAMES)
    return Bar(
        x=f"{LEFT + share * (at + 0.14):.3f}%",
        width=f"{share * 0.72:.3f}%",
        middle=f"{LEFT + share * (at + 0.5):.3f}%",
        y=HEAD + HEIGHT - height,
        height=height,
        title=f"{spoken(label)}: {euros(value)}",
        name=_name(label) if at % every == 0 else "",
        is_extra=at % (2 * every) != 0,
    )


def _step(highest: Decimal) -> Decimal:
    """Return a round number of which a few reach the highest bar."""
    rough = highest / TICKS
    power = Decimal(10) ** (rough.adjusted())
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _short(value: Decimal) -> str:
    if value >= MILLION:
        return f"€{value / MILLION:.2f}".rstrip("0").rstrip(".") + "m"
    if value >= THOUSAND:
        return f"€{value / THOUSAND:.1f}".removesuffix(".0") + "k"
    return f"€{value.normalize():f}"


def _description(values: list[tuple[str, Decimal]]) -> str:
    most = max(values, key=lambda each: each[1])
    least = min(values, key=lambda each: each[1])
    return (
        f"{len(values)} bars from {spoken(values[0][0])} to {spoken(values[-1][0])}. The highest is"
        f" {spoken(most[0])} with {euros(most[1])}, the lowest {spoken(least[0])} with"
        f" {euros(least[1])}. The table has all figures."
    )


def spoken(label: str) -> str:
    """Return a bucket's label in words: `March 2024` for `2024-03`."""
    if found := _QUARTER.fullmatch(label):
        return f"{found[2]} {found[1]}"
    if found := _WEEK.fullmatch(label):
        return f"Week {int(found[2])}, {found[1]}"
    if found := _MONTH.fullmatch(label):
        return f"{date(int(found[1]), int(found[2]), 1):%B} {found[1]}"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", label):
        day = date.fromisoformat(label)
        return f"{day.day} {day:%b} {label[:4]}"
    return label


def _name(label: str) -> str:
    """Return the label as short as it fits below a bar."""
    if found := _QUARTER.fullmatch(label):
        return f"{found[2]} {found[1][2:]}"
    if found := _WEEK.fullmatch(label):
        return f"W{int(found[2])} {found[1][2:]}"
    if found := _MONTH.fullmatch(label):
        return f"{date(int(found[1]), int(found[2]), 1):%b} {found[1][2:]}"
    return label[5:] if re.fullmatch(r"\d{4}-\d\d-\d\d", label) else label


def euros(value: Decimal | str | None) -> str:
    """Return the amount for people."""
    return NOTHING if value is None else f"€{Decimal(value):,.2f}"


def percent(value: str | None) -> str:
    """Return the share for people."""
    return NOTHING if value is None else f"{Decimal(value) * 100:.1f} %"
