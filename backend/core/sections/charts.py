"""A bar for each stretch of time: where it stands, how high it is, and what it is called."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil

HEIGHT = 200
HEAD, FOOT = 24, 24
LEFT = 9.0
MOST_BARS = 120
MOST_NAMES = 12
TICKS = 4
THOUSAND, MILLION = 1_000, 1_000_000
# How the answers write a stretch of time, with its name in words and as short as fits below a bar.
STRETCHES: tuple[tuple[str, Callable[..., str], Callable[..., str]], ...] = (
    (r"(\d{4})-(Q\d)", lambda y, q: f"{q} {y}", lambda y, q: f"{q} {y[2:]}"),
    (r"(\d{4})-W(\d\d)", lambda y, w: f"Week {int(w)}, {y}", lambda y, w: f"W{int(w)} {y[2:]}"),
    (
        r"(\d{4})-(\d\d)",
        lambda y, m: f"{_day(y, m):%B} {y}",
        lambda y, m: f"{_day(y, m):%b} {y[2:]}",
    ),
    (
        r"(\d{4})-(\d\d)-(\d\d)",
        lambda y, m, d: f"{int(d)} {_day(y, m):%b} {y}",
        lambda _, m, d: f"{m}-{d}",
    ),
)


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

    title: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    description: str
    height: int = HEAD + HEIGHT + FOOT
    base: int = HEAD + HEIGHT


def draw(
    title: str, values: list[tuple[str, Decimal]], write: Callable[[Decimal], str], sign: str = ""
) -> Chart | None:
    """Return the chart of these labels and values, or none where it would tell nothing.

    `write` writes a value in full; beside the lines it stands short, behind the sign.
    """
    highest = max((value for _, value in values), default=Decimal(0))
    if not 1 < len(values) <= MOST_BARS or highest <= 0:
        return None
    step = _step(highest)
    top = step * ceil(highest / step)
    return Chart(
        title=title,
        bars=tuple(_bar(values, at, top, write) for at in range(len(values))),
        ticks=tuple(
            Tick(HEAD + HEIGHT - int(HEIGHT * step * n / top), sign + _short(step * n))
            for n in range(1, int(top / step) + 1)
        ),
        description=_description(values, write),
    )


def _bar(
    values: list[tuple[str, Decimal]], at: int, top: Decimal, write: Callable[[Decimal], str]
) -> Bar:
    label, value = values[at]
    share = (100 - LEFT) / len(values)
    height = max(int(HEIGHT * value / top), 1 if value > 0 else 0)
    every = ceil(len(values) / MOST_NAMES)
    return Bar(
        x=f"{LEFT + share * (at + 0.14):.3f}%",
        width=f"{share * 0.72:.3f}%",
        middle=f"{LEFT + share * (at + 0.5):.3f}%",
        y=HEAD + HEIGHT - height,
        height=height,
        title=f"{stretch(label)}: {write(value)}",
        name=stretch(label, is_short=True) if at % every == 0 else "",
        is_extra=at % (2 * every) != 0,
    )


def _step(highest: Decimal) -> Decimal:
    """Return a round number of which a few reach the highest bar."""
    rough = highest / TICKS
    power = Decimal(10) ** (rough.adjusted())
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _short(value: Decimal) -> str:
    if value >= MILLION:
        return f"{value / MILLION:.2f}".rstrip("0").rstrip(".") + "m"
    if value >= THOUSAND:
        return f"{value / THOUSAND:.1f}".removesuffix(".0") + "k"
    return f"{value.normalize():f}"


def _description(values: list[tuple[str, Decimal]], write: Callable[[Decimal], str]) -> str:
    most = max(values, key=lambda each: each[1])
    least = min(values, key=lambda each: each[1])
    return (
        f"{len(values)} bars from {stretch(values[0][0])} to {stretch(values[-1][0])}. The highest"
        f" is {stretch(most[0])} with {write(most[1])}, the lowest {stretch(least[0])} with"
        f" {write(least[1])}. The table has all figures."
    )


def stretch(label: str, *, is_short: bool = False) -> str:
    """Return a bucket's label in words: `March 2024` for `2024-03`, or in short `Mar 24`."""
    for pattern, in_words, in_short in STRETCHES:
        if found := re.fullmatch(pattern, label):
            return (in_short if is_short else in_words)(*found.groups())
    return label


def _day(year: str, month: str) -> date:
    return date(int(year), int(month), 1)
