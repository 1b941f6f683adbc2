"""Work of the fault tests' own: every effect and every call outside leaves a row behind.

Neither table has a unique key, so that what happened twice is seen twice. Calls are written by a
connection of their own, as what stands outside remembers them whatever becomes of our transaction.
"""

import os
import signal
import time
from datetime import timedelta

import psycopg
from sqlalchemy import text

from backend.core.config import current_settings
from backend.core.database import db
from backend.core.outbox import task

TABLES = """
    create table fault_effect (ref text not null, at timestamptz default clock_timestamp());
    create table fault_call (key text not null, at timestamptz default clock_timestamp());
    create table fault_cure (is_cured boolean not null);
    grant select, insert on fault_effect, fault_call, fault_cure to quintet_app;
"""
EFFECT = text("insert into fault_effect (ref) values (:ref)")
# The process itself cannot sleep under a clock that was tampered with.
SLEEP = text("select pg_sleep(:seconds)")
CURED = text("select exists (select from fault_cure)")
SHORT = {
    "time_limit": timedelta(seconds=2),
    "lease": timedelta(seconds=3),
    "backoff": timedelta(seconds=0.1),
}
TRIES = 3


def _effect(ref: str) -> None:
    db.session.execute(EFFECT, {"ref": ref})


def _call(key: str) -> str:
    with psycopg.connect(current_settings().database_url, connect_timeout=2) as connection:
        connection.execute("insert into fault_call (key) values (%s)", [key])
    return f"receipt of {key}"


def _settle(key: str, receipt: str) -> None:
    if receipt != f"receipt of {key}":
        raise ValueError(receipt)
    _effect(key)


@task("faults.write", max_attempts=50, **SHORT)
def write(*, ref: str, seconds: float = 0, **_: object) -> None:
    """Write one row, after some time."""
    if seconds:
        time.sleep(seconds)
    _effect(ref)


@task("faults.pay", queue="payments", max_attempts=50, call=_call, apply=_settle, **SHORT)
def pay(*, ref: str, **_: object) -> str:
    """Call outside under one key, and write one row when it has answered."""
    return ref


@task(
    "faults.load",
    queue="imports",
    is_renewed=True,
    lease=timedelta(seconds=3),
    max_attempts=50,
    backoff=timedelta(seconds=0.1),
)
def load(*, ref: str, seconds: float, **_: object) -> None:
    """Take longer than the lease, in one piece."""
    db.session.execute(SLEEP, {"seconds": seconds})
    _effect(ref)


def _is_cured() -> bool:
    return bool(db.session.scalar(CURED))


@task("faults.fail", max_attempts=TRIES, **SHORT)
def fail(*, ref: str, **_: object) -> None:
    """Raise, until it is cured."""
    if not _is_cured():
        raise ValueError("poison")
    _effect(ref)


@task("faults.die", max_attempts=TRIES, **SHORT)
def die(*, ref: str, **_: object) -> None:
    """Kill its process, until it is cured."""
    if not _is_cured():
        os.kill(os.getpid(), signal.SIGKILL)
    _effect(ref)


@task("faults.hang", max_attempts=TRIES, **SHORT)
def hang(*, ref: str, **_: object) -> None:
    """Hang in a way that no request to stop gets through to, until it is cured."""
    if not _is_cured():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        time.sleep(60)
    _effect(ref)
