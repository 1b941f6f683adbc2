import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from http.client import HTTPConnection, HTTPException

import psutil
import pytest
import requests

from backend import serving
from backend.core.config import current_settings
from environments.local.processes import free_port

HEADERS = {True: {}, False: {"Connection": "close"}}
CLIENTS = 4
PATIENCE = 20
with socket.socket() as probe:
    MAY_FILTER = serving.deafen(probe)


class Served:
    """The API as it is started where it is deployed: its process, its port, and its users."""

    def __init__(self, log):
        self.log = log
        self.port = free_port()
        self.outcomes = Counter()
        settings = current_settings()
        variables = {name: text for name, text in os.environ.items() if "QUINTET_" not in name}
        variables |= {"DATABASE_URL": settings.database_url, "QUINTET_METRICS_PORT": "0"}
        with log.open("w") as output:
            self.process = psutil.Popen(
                [sys.executable, "-m", "backend.serving", "--port", str(self.port)],
                env=variables | {"QUINTET_FILES_URL": settings.files_url},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def answering(self):
        """The process that answers."""
        (found,) = self.process.children()
        return found

    def wait(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5)
            except requests.ConnectionError:
                time.sleep(0.05)
        pytest.fail(self.log.read_text())

    def use(self, keeps):
        """Ask on one connection after the other, until nobody listens any more."""
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            with closing(connection):
                self._ask(connection, keeps)

    def _ask(self, connection, keeps):
        answers = 0
        while True:
            try:
                connection.request("GET", "/healthz", headers=HEADERS[keeps])
                assert json.load(connection.getresponse()) == {"status": "ok"}
            except (OSError, HTTPException):
                # HTTP allows that a connection that was kept is closed between two requests.
                self.outcomes["failed"] += not answers
                return
            answers += 1
            self.outcomes["answered"] += 1
            if not keeps:
                return


@pytest.fixture
def start(real_database, tmp_path):
    started = []

    def begin():
        started.append(Served(tmp_path / f"{len(started)}.log"))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            for process in (*each.process.children(recursive=True), each.process):
                process.kill()
        each.process.wait(PATIENCE)


@pytest.mark.skipif(not MAY_FILTER, reason="this system forbids to filter what a socket hears")
def test_whoever_asks_while_it_is_stopped_is_answered(start):
    for _ in range(2):
        served = start()
        served.wait()
        users = [
            threading.Thread(target=served.use, args=[keeps]) for keeps in (False, True) * CLIENTS
        ]
        for user in users:
            user.start()
        time.sleep(0.2)
        served.process.terminate()
        served.process.wait(PATIENCE)
        for user in users:
            user.join(PATIENCE)
        assert served.outcomes["failed"] == 0
        assert served.outcomes["answered"] > len(users)


@pytest.mark.skipif(not MAY_FILTER, reason="this system forbids to filter what a socket hears")
def test_before_it_stops_it_hears_no_new_caller_and_still_answers_those_it_has(start):
    served = start()
    served.wait()
    with closing(HTTPConnection("127.0.0.1", served.port, timeout=1)) as connected:
        connected.connect()
        served.answering.send_signal(signal.SIGUSR1)
        time.sleep(0.2)
        with pytest.raises(TimeoutError):
            HTTPConnection("127.0.0.1", served.port, timeout=0.5).connect()
        connected.request("GET", "/healthz")
        assert json.load(connected.getresponse()) == {"status": "ok"}


@pytest.mark.parametrize("moment", [0.1, 0.6, 1.1])
def test_it_can_be_stopped_at_any_moment_of_its_start(start, moment):
    served = start()
    time.sleep(moment)
    everyone = [served.process, *served.process.children(recursive=True)]
    served.process.terminate()
    gone, alive = psutil.wait_procs(everyone, PATIENCE)
    assert alive == []
    assert served.process in gone


def test_killed_it_leaves_nobody_who_still_answers(start):
    served = start()
    served.wait()
    answering = served.answering
    served.process.kill()
    answering.wait(PATIENCE)


def test_its_own_words_are_lines_of_the_log_and_it_opens_the_port_of_the_metrics(start):
    served = start()
    served.wait()
    served.process.terminate()
    served.process.wait(PATIENCE)
    lines = served.log.read_text().splitlines()
    assert all(line.startswith("{") for line in lines), lines
    assert any('"event": "Listening at: ' in line for line in lines)
    assert any('"event": "metrics"' in line for line in lines)


def test_whoever_sends_slowly_keeps_nobody_from_reading():
    ended, answers = threading.Event(), []

    def read_body(environ, _start):
        if environ.get("CONTENT_LENGTH"):
            ended.wait(PATIENCE)
        return [b"read"]

    ask = serving.keeping_room(read_body)
    slow = {"CONTENT_LENGTH": "9"}
    threads = [threading.Thread(target=ask, args=(slow, None)) for _ in range(serving.BODIES)]
    for each in threads:
        each.start()
    deadline = time.monotonic() + PATIENCE
    while not answers and time.monotonic() < deadline:
        ended_soon = threading.Thread(target=ask, args=(slow, lambda *said: answers.append(said)))
        ended_soon.start()
        ended_soon.join(0.2)
    assert answers[0][0].startswith("503")
    assert ("Retry-After", "2") in answers[0][1]
    assert ask({}, None) == [b"read"]
    ended.set()
    for each in threads:
        each.join()
    assert ask(slow, None) == [b"read"]
