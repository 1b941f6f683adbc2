"""Which server runs Quintet: how many answers it gives, and whether it ends as it should.

Both servers run the application in one process with the same threads. The answers are those of
`collection_lists.py` on one million expenses. Then each is started and stopped a hundred times by
SIGTERM, in turns: half of the times under load, at a random moment, half of the times while it
still starts. The load comes on new connections and on connections that are kept. Told apart are

- hangs: the processes are not gone 15 seconds later;
- cut: an answer ended in its middle, or said 5xx;
- refused late: a new connection was accepted and closed, or reset, without an answer;
- closed: a connection that was kept was closed between two answers. HTTP allows that, and clients
  ask again on a new one, so it counts as no failure;
- left: processes that live on after their parent.

`ROUNDS=` changes the number of stops; `SEED=` their moments.
"""

import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping

import collection_lists
import expense_rows
import keeping
import load
import psutil
import serving

from environments.local.processes import free_port

SERVERS = ("gunicorn", "granian")
ROUNDS = int(os.environ.get("ROUNDS", "100"))
ROWS = int(os.environ.get("ROWS", "1_000_000"))
SEED = int(os.environ.get("SEED", "9"))
PATIENCE = 15
CLIENTS = 6
REQUEST = load.get(collection_lists.QUINTET_ANSWER.format("Legal", 250))
ONCE = load.get(collection_lists.QUINTET_ANSWER.format("Legal", 250), Connection="close")


class Client(threading.Thread):
    """Asks again and again until nobody listens any more, and tells what went wrong."""

    def __init__(self, port: int, *, keeps: bool, found: Counter[str]) -> None:
        super().__init__(daemon=True)
        self.port, self.keeps, self.found = port, keeps, found

    def run(self) -> None:
        """Ask until a connection is refused."""
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            except OSError:
                return
            with connection:
                self._use(connection)

    def _use(self, connection: socket.socket) -> None:
        is_new = True
        while True:
            outcome = ask(connection, REQUEST if self.keeps else ONCE)
            if outcome == "nothing":
                outcome = "refused late" if is_new else "closed"
            self.found[outcome] += 1
            if outcome != "answered" or not self.keeps:
                return
            is_new = False


def ask(connection: socket.socket, request: bytes) -> str:
    """Return how a request ended: answered, cut, or nothing came."""
    received, expected = b"", 0
    try:
        connection.sendall(request)
        while not expected or len(received) < expected:
            piece = connection.recv(load.PIECE)
            if not piece:
                break
            received += piece
            head = received.find(b"\r\n\r\n")
            if not expected and head > 0:
                length = load.LENGTH.search(received, 0, head + 2)
                expected = head + 4 + (int(length[1]) if length else 0)
    except TimeoutError:
        return "hung"
    except OSError:
        return "cut" if received else "nothing"
    if not received:
        return "nothing"
    is_whole = expected and len(received) == expected
    return "answered" if is_whole and received[9:12] == b"200" else "cut"


def end(process: psutil.Popen, found: Counter[str]) -> None:
    """Stop the server as its supervisor would, and count what does not end."""
    everyone = process.children(recursive=True)
    process.send_signal(signal.SIGTERM)
    began = time.perf_counter()
    try:
        process.wait(PATIENCE)
    except psutil.TimeoutExpired:
        found["hangs"] += 1
        process.kill()
        process.wait()
    found["ms"] += round(1000 * (time.perf_counter() - began))
    _, alive = psutil.wait_procs(everyone, timeout=1)
    found["left"] += len(alive)
    for each in alive:
        each.kill()


def stop_under_load(server: str, variables: Mapping[str, str], moment: float) -> Counter[str]:
    """Return what happened when it was stopped while it answered."""
    found = Counter(stops=1)
    port = free_port()
    process = serving.launch(serving.QUINTET, server, port, variables)
    try:
        serving.await_answer(process, port, serving.QUINTET.path)
        clients = [Client(port, keeps=each % 2 == 0, found=found) for each in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(0.2 + 0.6 * moment)
        end(process, found)
        for client in clients:
            client.join(PATIENCE)
            found["hung"] += client.is_alive()
    finally:
        serving.stop(process)
    return found


def stop_at_start(
    server: str, variables: Mapping[str, str], moment: float, usual: float
) -> Counter[str]:
    """Return what happened when it was stopped before, or just when, it could answer."""
    found = Counter(stops=1)
    process = serving.launch(serving.QUINTET, server, free_port(), variables)
    try:
        time.sleep(usual * 1.1 * moment)
        end(process, found)
    finally:
        serving.stop(process)
    return found


def start_time(server: str, variables: Mapping[str, str]) -> float:
    """Return the seconds until the first answer."""
    began = time.perf_counter()
    with serving.served(serving.QUINTET, server, variables):
        return time.perf_counter() - began


def shutdowns(variables: Mapping[str, str]) -> collection_lists.Comparison:
    """Return what happened at all stops of every server."""
    moments = random.Random(SEED)  # noqa: S311  no secret
    usual = {server: start_time(server, variables) for server in SERVERS}
    loaded: dict[str, Counter[str]] = {server: Counter() for server in SERVERS}
    starting: dict[str, Counter[str]] = {server: Counter() for server in SERVERS}
    for _ in range(ROUNDS // 2):
        moment = moments.random()
        for server in SERVERS:
            loaded[server] += stop_under_load(server, variables, moment)
            starting[server] += stop_at_start(server, variables, moment, usual[server])
    found: collection_lists.Comparison = {}
    for server in SERVERS:
        found[f"{server}, stopped under load"] = dict(loaded[server])
        found[f"{server}, stopped at its start"] = dict(starting[server])
    return found


def main() -> None:
    """Measure, print the figures and keep them."""
    serving.environment()
    with (
        keeping.durable_server("bench-servers") as postgres,
        keeping.empty_database(postgres, "servers") as variables,
    ):
        expense_rows.fill(variables["QUINTET_DATABASE_OWNER_URL"], ROWS)
        systems = {"quintet": (serving.QUINTET, SERVERS)}
        found = collection_lists.measure(variables, systems) | shutdowns(variables)
    for name, figures in found.items():
        print(f"{name:32} {figures}", flush=True)
    keeping.keep("servers", {"seed": SEED, **found})


if __name__ == "__main__":
    main()
