"""What the queue can be asked for: each topic's function, and the limits under which it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from backend.core.outbox.schedules import Schedule, schedule

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_QUEUE = "default"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long one run may take, how long it is nobody else's, and how many runs there may be."""

    time_limit: timedelta
    lease: timedelta
    max_attempts: int


LOCAL = Limits(time_limit=timedelta(seconds=120), lease=timedelta(seconds=150), max_attempts=8)
# The call itself is given 20 seconds, so that it ends before the process is killed at 25.
OUTSIDE = Limits(time_limit=timedelta(seconds=25), lease=timedelta(seconds=30), max_attempts=20)
LONG = Limits(time_limit=timedelta(minutes=30), lease=timedelta(seconds=90), max_attempts=8)

# The broker gives a message out again after this time, so no run without renewal may be longer.
VISIBILITY = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One kind of work."""

    name: str
    run: Callable[..., Any]
    queue: str
    limits: Limits
    backoff: timedelta
    schedule: Schedule | None = None
    call: Callable[[Any], Any] | None = field(default=None)
    apply: Callable[[Any, Any], Any] | None = field(default=None)
    is_renewed: bool = False


_TOPICS: dict[str, Topic] = {}
TOPICS: Mapping[str, Topic] = MappingProxyType(_TOPICS)


def task(  # noqa: PLR0913  each is a fact about the work, with a good default
    name: str,
    *,
    queue: str = DEFAULT_QUEUE,
    lease: timedelta | None = None,
    time_limit: timedelta | None = None,
    max_attempts: int | None = None,
    backoff: timedelta = timedelta(seconds=5),
    every: timedelta | str | None = None,
    call: Callable[[Any], Any] | None = None,
    apply: Callable[[Any, Any], Any] | None = None,
    is_renewed: bool = False,
) -> Callable[[Function], Function]:
    """Register the decorated function as what is done for the topic `name`.

    The function has keyword-only arguments and `**_`, and runs in one transaction with the mark
    "done". Work that calls outside passes `call` and `apply`: the function then prepares (in a
    transaction of its own) and returns what `call(prepared)` needs, or None when nothing is to be
    done; `call` runs with no transaction open; `apply(prepared, answer)` runs in the last one, with
    the mark. `every` is a period or a crontab's five fields in UTC; its runs get a `tick`.
    `is_renewed` is for long work in one piece: its short lease is renewed while it runs.

    :raises ValueError: when the limits contradict each other
    """
    usual = LONG if is_renewed else OUTSIDE if call else LOCAL
    limits = Limits(
        time_limit=time_limit or usual.time_limit,
        lease=lease or usual.lease,
        max_attempts=max_attempts or usual.max_attempts,
    )
    _check(name, limits, is_renewed=is_renewed, is_whole=(call is None) == (apply is None))

    def register(function: Function) -> Function:
        _TOPICS[name] = Topic(
            name=name,
            run=function,
            queue=queue,
            limits=limits,
            backoff=backoff,
            schedule=schedule(every),
            call=call,
            apply=apply,
            is_renewed=is_renewed,
        )
        return function

    return register


def _check(name: str, limits: Limits, *, is_renewed: bool, is_whole: bool) -> None:
    if name in _TOPICS:
        raise ValueError(f"{name} is registered already")
    if not is_whole:
        raise ValueError(f"{name} needs both call and apply, or neither")
    if not is_renewed and not limits.time_limit < limits.lease < VISIBILITY:
        raise ValueError(f"{name}: time limit < lease < {VISIBILITY} must hold")
