"""Starting Quintet and its peers, on the servers they can run on, in an environment apart."""

import contextlib
import hashlib
import http.client
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from backend.serving import THREADS
from environments.local.processes import free_port

BENCH = Path(__file__).resolve().parent
ENVIRONMENT = BENCH / ".venv"
REQUIREMENTS = BENCH.parent / "requirements" / "bench.txt"
OURS = "granian"  # Decision 0010 says why.
PATIENCE = 60


@dataclass(frozen=True)
class System:
    """An application, how it is reached, and the interface by which servers call it."""

    application: str
    path: str
    interface: str = "wsgi"


QUINTET = System("backend.app:create_app", "/readyz")


@dataclass(frozen=True)
class Served:
    """A server that runs: its port and its processes."""

    port: int
    process: psutil.Popen

    def processor_seconds(self) -> float:
        """Return the processor time that its processes have used."""
        everyone = [self.process, *self.process.children(recursive=True)]
        return sum(sum(each.cpu_times()[:2]) for each in everyone)

    def memory(self) -> int:
        """Return the bytes of its processes, shared ones counted in shares."""
        everyone = [self.process, *self.process.children(recursive=True)]
        return sum(each.memory_full_info().pss for each in everyone)


def environment() -> Path:
    """Return the Python of the environment with all peers, made when its lock has changed."""
    stamp = ENVIRONMENT / "installed"
    lock = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    python = ENVIRONMENT / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != lock:
        print("Installing the peers …", flush=True)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(REQUIREMENTS)], check=True)  # noqa: S603  our own lock
        stamp.write_text(lock)
    return python


def command(system: System, server: str, port: int) -> list[str]:
    """Return the command line by which the server serves the system."""
    python = str(environment())
    if system is QUINTET and server == OURS:
        return [python, "-m", "backend.serving", "--port", str(port)]
    common = [python, "-m", server]
    if server == "gunicorn":
        called = "()" if system is QUINTET else ""
        common += ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
        common += ["--threads", str(THREADS), "--no-control-socket", "--graceful-timeout", "5"]
        return [*common, system.application + called]
    common += ["--host", "127.0.0.1", "--port", str(port)]
    if server == "uvicorn":
        common += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
        return [*common, system.application]
    common += ["--interface", system.interface, "--no-ws"]
    if system.interface == "wsgi":
        common += ["--blocking-threads", str(THREADS)]
    return [*common, system.application]


def launch(system: System, server: str, port: int, variables: Mapping[str, str]) -> psutil.Popen:
    """Start the server; its output is thrown away."""
    found = os.environ | variables
    found["PYTHONPATH"] = os.pathsep.join([str(BENCH.parent), str(BENCH)])
    return psutil.Popen(
        command(system, server, port),
        env=found,
        cwd=BENCH.parent,
        stdout=subprocess.DEVNULL,
        stderr=None if "VERBOSE" in os.environ else subprocess.DEVNULL,
    )


@contextmanager
def served(system: System, server: str, variables: Mapping[str, str]) -> Iterator[Served]:
    """Lend the system on the server, once it answers."""
    port = free_port()
    process = launch(system, server, port, variables)
    try:
        await_answer(process, port, system.path)
        yield Served(port, process)
    finally:
        stop(process)


def await_answer(process: psutil.Popen, port: int, path: str) -> None:
    """Return when the address answers."""
    deadline = time.monotonic() + PATIENCE
    while (status := answer(port, path)) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{' '.join(process.args)} does not answer; VERBOSE=1 shows what it says.")
        time.sleep(0.02)
    assert status == http.client.OK, f"{path}: {status}"


def answer(port: int, path: str) -> int | None:
    """Return the status of the answer, or none where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return None
    else:
        return response.status
    finally:
        connection.close()


def stop(process: psutil.Popen) -> None:
    """End the server and all that it started."""
    if process.poll() is not None:
        return
    everyone = process.children(recursive=True)
    process.terminate()
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait()
    for each in everyone:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
