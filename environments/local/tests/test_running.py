import http.client
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from environments.local import places, processes
from environments.local.postgres import Postgres
from environments.local.running import Run
from environments.local.sharing import Shared
from environments.local.supervision import MARK, end_leftovers


class Checkout:
    """`make run` on a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.port = processes.free_port()
        self.output = folder / "output.txt"
        self.environment = os.environ | {
            "QUINTET_LOCAL_FOLDER": str(folder),
            "QUINTET_FILES_URL": str(folder / "files"),
            "PORT": str(self.port),
        }

    def start(self):
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "environments.local"],
                cwd=places.CHECKOUT,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.wait_for("Ctrl-C ends it.")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def wait_for(self, words):
        deadline = time.monotonic() + 60
        while words not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.05)

    def run(self, *words):
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=places.CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def status(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def processes(self):
        return processes.marked(MARK, str(self.servers()))

    def servers(self):
        return next(self.folder.glob("quintet-*/local"))


@pytest.fixture(scope="module")
def checkout(modules_folder):
    checkout = Checkout(modules_folder)
    try:
        checkout.start()
        yield checkout
    finally:
        checkout.stop()


def test_it_serves_and_says_where_and_for_whom(checkout):
    said = checkout.output.read_text()
    assert f"http://127.0.0.1:{checkout.port}" in said
    assert "staff@quintet.test" in said
    assert "quintet-demo" in said
    assert "PostgreSQL" in said
    assert checkout.status("/") == 200
    assert checkout.status("/readyz") == 200


def test_a_second_start_says_where_the_first_one_is(checkout):
    second = checkout.run("environments.local")
    assert second.returncode == 1
    assert f"runs in this checkout already, at http://127.0.0.1:{checkout.port}" in second.stderr
    assert checkout.status("/readyz") == 200


def test_data_in_use_is_not_removed(checkout):
    assert checkout.run("environments.local", "reset").returncode == 1
    assert checkout.status("/readyz") == 200


def test_a_command_beside_it_uses_its_database(checkout):
    listed = checkout.run("backend.cli", "identity", "list")
    assert "staff@quintet.test" in listed.stdout
    assert checkout.status("/readyz") == 200


def test_a_process_that_dies_is_started_again(checkout):
    api = next(each for each in checkout.processes() if "backend.serving" in each.cmdline())
    children = api.children()
    api.kill()
    checkout.wait_for("api ended (terminated by SIGKILL) and is started again")
    psutil.wait_procs(children, timeout=30)
    deadline = time.monotonic() + 30
    while checkout.status("/readyz") != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert checkout.status("/readyz") == 200


def test_a_kill_ends_everything_and_it_starts_again_on_the_same_data(checkout):
    orphans = checkout.processes()
    server = Postgres(checkout.servers()).process()
    checkout.process.kill()
    checkout.process.wait()
    assert len(orphans) > 5
    assert psutil.wait_procs([*orphans, server], timeout=60)[1] == []
    assert checkout.status("/healthz") is None
    checkout.start()
    assert "Creating the demonstration" not in checkout.output.read_text()


def test_ctrl_c_leaves_nothing(checkout):
    ours = checkout.processes()
    assert checkout.stop() == 0
    assert not any(each.is_running() for each in ours)
    assert Postgres(checkout.servers()).process() is None


def test_alone_a_command_starts_the_database_and_stops_it(checkout):
    checkout.stop()
    listed = checkout.run("backend.cli", "identity", "list")
    assert "staff@quintet.test" in listed.stdout
    assert Postgres(checkout.servers()).process() is None


def test_a_port_of_somebody_else_is_named(checkout):
    checkout.stop()
    with processes.socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        checkout.environment["PORT"] = str(port)
        refused = checkout.run("environments.local")
    assert refused.returncode == 1
    assert f"Port {port} is taken" in refused.stderr


def test_a_port_that_is_none_is_refused(checkout):
    checkout.stop()
    checkout.environment["PORT"] = "eighty"
    refused = checkout.run("environments.local")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "PORT is a number" in refused.stderr


def test_a_reset_leaves_no_data(checkout):
    checkout.stop()
    assert checkout.run("environments.local", "reset").returncode == 0
    assert not list(checkout.folder.glob("quintet-*/local/postgres"))


def test_a_database_that_a_person_named_is_neither_started_nor_stopped(folder, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody@elsewhere/theirs")
    run = Run(Shared(Postgres(folder)), 8000)
    assert [each.name for each in run._programs()] == ["valkey", "api", "relay", "worker"]
    assert run._variables()["DATABASE_URL"] == "postgresql://somebody@elsewhere/theirs"


def test_the_api_is_never_told_of_the_broker(folder, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:6379/0")
    run = Run(Shared(Postgres(folder)), 8000)
    run.postgres = None
    told = {each.name: each.variables.get("REDIS_URL") for each in run._programs()}
    given = "redis://elsewhere:6379/0"
    assert told == {"api": "", "relay": given, "worker": given}


def test_whatever_a_killed_run_left_is_ended(folder):
    with subprocess.Popen(["sleep", "60"], env=os.environ | {MARK: str(folder)}) as left:
        end_leftovers(folder)
        assert not psutil.pid_exists(left.pid)
