"""How fast a filtered list is answered, by Quintet and by its peers, on the same rows.

Every system answers the same 25 rows of the same seven columns of one million, without a count, to
callers who are not signed in; all use PostgreSQL through psycopg, and one process with a pool of
eight connections. Each is started on every server that it can run on, all at the same time; they
take turns, and the best server of each peer counts, but for Quintet the one it is run on. Beside
the answers per second stands the processor time of the server for each answer, which suffers less
from what else the machine does.

The goals: 1.5 times FastAPI with SQLAlchemy's ORM, 3 times Django REST framework, 0.6 of psycopg
with `json_agg` behind Flask.
"""

import json
import os
import statistics
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack

import expense_rows
import load
import serving
from serving import System

ROUNDS = int(os.environ.get("ROUNDS", "4"))
SECONDS = float(os.environ.get("SECONDS", "3"))
LIMIT = 25
AMOUNTS = range(250, 300, 10)
GOALS = {"fastapi": 1.5, "django rest": 3.0, "bare": 0.6}
QUINTET_ANSWER = "/api/expenses?departments={}&amount[gte]={}&count=none&limit=25"
PEER_ANSWER = "/expenses?departments={}&amount_gte={}"
Figures = dict[str, float]
Comparison = dict[str, Figures]
Systems = Mapping[str, tuple[System, tuple[str, ...]]]
SYSTEMS: Systems = {
    "quintet": (serving.QUINTET, ("gunicorn", "granian")),
    "fastapi": (
        System("peers.fastapi_orm:app", path="/docs", interface="asgi"),
        ("uvicorn", "granian"),
    ),
    "django rest": (
        System("peers.django_rest:application", path="/expenses"),
        ("gunicorn", "granian"),
    ),
    "bare": (
        System("peers.bare:app", path="/expenses?departments=Legal&amount_gte=1"),
        ("gunicorn", "granian"),
    ),
}


def addresses(system: str) -> list[str]:
    """Return what is asked in turn."""
    form = QUINTET_ANSWER if system == "quintet" else PEER_ANSWER
    return [
        form.format(department, amount)
        for department in expense_rows.DEPARTMENTS
        for amount in AMOUNTS
    ]


def rows(port: int, path: str) -> list[tuple[str, ...]]:
    """Return the rows of an answer as texts, so that all systems can be compared."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as response:
        answer = json.load(response)
    found = answer["data"] if "data" in answer else answer["results"]
    return [tuple(str(each[name]) for name in expense_rows.COLUMNS.split(", ")) for each in found]


def measure(variables: Mapping[str, str], systems: Systems = SYSTEMS) -> Comparison:
    """Return the figures of every system on every server."""
    with ExitStack() as stack:
        running = {
            (name, server): stack.enter_context(serving.served(system, server, variables))
            for name, (system, servers) in systems.items()
            for server in servers
        }
        answers = {rows_of(name, each.port) for (name, _), each in running.items()}
        assert len(answers) == 1, "The systems do not answer the same rows."
        runs: dict[tuple[str, str], list[Figures]] = {key: [] for key in running}
        for _ in range(ROUNDS):
            for key, each in running.items():
                runs[key].append(one_run(each, [load.get(path) for path in addresses(key[0])]))
    return {" on ".join(key): medians(found) for key, found in runs.items()}


def rows_of(name: str, port: int) -> tuple[tuple[str, ...], ...]:
    """Return some of the rows that a system answers."""
    found = [row for path in addresses(name)[::11] for row in rows(port, path)]
    assert len(found) == LIMIT * len(addresses(name)[::11])
    return tuple(found)


def one_run(server: serving.Served, requests: list[bytes]) -> Figures:
    """Return the figures of one turn."""
    load.drive(server.port, requests, seconds=0.3)
    before = server.processor_seconds()
    found = load.drive(server.port, requests, seconds=SECONDS)
    processor = server.processor_seconds() - before
    return {
        "per second": found.rate,
        "server ms": 1000 * processor / found.answers,
        "client": found.overhead,
    }


def medians(runs: list[Figures]) -> Figures:
    """Return the median of each figure."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def compare(found: Comparison) -> Comparison:
    """Return Quintet's figures on the server that it runs on as multiples of the peers' best."""
    best = {
        name: max(
            (found[f"{name} on {server}"] for server in servers),
            key=lambda each: each["per second"],
        )
        for name, (_, servers) in SYSTEMS.items()
    }
    mine = found[f"quintet on {serving.OURS}"]
    return {
        f"quintet / {name}": {
            "goal": goal,
            "per second": mine["per second"] / best[name]["per second"],
            "by processor time": best[name]["server ms"] / mine["server ms"],
        }
        for name, goal in GOALS.items()
    }
