"""What `make run` keeps running: the servers, the API, the relay and a worker."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from environments.local import processes
from environments.local.postgres import Postgres
from environments.local.supervision import Program
from environments.local.valkey import Valkey

CHILDREN = 2


def all_programs(*, postgres: Postgres | None, folder: Path, port: int) -> list[Program]:
    """Return what runs, in the order in which it is started.

    Without a given `REDIS_URL` a Valkey is among it. Relay and worker alone are told of the broker;
    the API has an address in Valkey for counting requests, and no other.
    """
    servers = [postgres.program()] if postgres else []
    broker_url = os.environ.get("REDIS_URL", "")
    if not broker_url:
        valkey = _prepared_valkey(folder)
        broker_url = valkey.url
        servers.append(valkey.program())
    broker = {"REDIS_URL": broker_url}
    limits_url = os.environ.get("QUINTET_LIMITS_URL", broker_url.rpartition("/")[0] + "/1")
    return [
        *servers,
        _api(port, {"QUINTET_LIMITS_URL": limits_url, **_without_broker()}),
        Program(name="relay", command=_module("worker.relay"), variables=_watched(broker)),
        Program(name="worker", command=_worker(), variables=broker),
    ]


def _prepared_valkey(folder: Path) -> Valkey:
    valkey = Valkey(folder)
    valkey.prepare()
    valkey.port = processes.free_port()
    return valkey


def _api(port: int, variables: Mapping[str, str]) -> Program:
    command = [*_module("backend.serving"), "--port", str(port)]
    return Program(name="api", command=command, variables=_watched(variables))


def _worker() -> list[str]:
    return [*_module("worker"), "--concurrency", str(CHILDREN)]


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _watched(variables: Mapping[str, str]) -> dict[str, str]:
    """Add a port for metrics, of the process's own."""
    return {**variables, "QUINTET_METRICS_PORT": str(processes.free_port())}


def _without_broker() -> dict[str, str]:
    return {"REDIS_URL": ""} if "REDIS_URL" in os.environ else {}
