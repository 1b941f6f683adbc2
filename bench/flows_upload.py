"""How much memory an upload of 100 MB costs the API: less than 20 MB more than before.

The file is sent to the server as `make run` starts it, once to be imported in the background, which
is what happens to such a file, and once to be imported in the request, for comparison. The resident
memory of the serving process is looked at every 10 ms.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keeping
import psutil
import requests

from backend.domains.flows import sample
from environments.local import places, processes

READINGS = 1_560_000
LIMIT_MB = 20.0
HEAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="big.uff"\r\n\r\n'
TAIL = b"\r\n--x--\r\n"
SERVE = ("-m", "backend.serving")


@contextmanager
def served(variables: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """Lend a server's port and the process that answers."""
    port = processes.free_port()
    process = psutil.Popen(
        [sys.executable, *SERVE, "--port", str(port)],
        cwd=places.CHECKOUT,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not answers(port):
            time.sleep(0.1)
        yield port, process.children()[0]
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    """Say whether the server is up."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
    except requests.ConnectionError:
        return False


def send(port: int, token: str, path: Path) -> int:
    """Send the file in small pieces, and return the answer's status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.putrequest("POST", "/api/flows/files")
    length = len(HEAD) + path.stat().st_size + len(TAIL)
    connection.putheader("Content-Length", str(length))
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.endheaders(HEAD)
    with path.open("rb") as file:
        while block := file.read(65536):
            connection.send(block)
    connection.send(TAIL)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def grown(process: psutil.Process, port: int, token: str, path: Path) -> tuple[int, float]:
    """Return the answer's status, and by how many MB the process grew at most."""
    before = peak = process.memory_info().rss
    is_over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_over.wait(0.01):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = send(port, token, path)
    is_over.set()
    watcher.join()
    return status, (peak - before) / 1e6


def measured(variables: dict[str, str], folder: Path, big: Path) -> tuple[int, float]:
    """Return what one upload costs a server that has answered and imported before."""
    small = folder / "small.uff"
    with small.open("wb") as out:
        sample.write_sample(out, readings=100)
    with served(variables) as (port, process):
        credentials = {"email": "staff@quintet.test", "password": "quintet-demo"}
        address = f"http://127.0.0.1:{port}/api/auth/login"
        token = requests.post(address, json=credentials, timeout=30).json()["data"]["access_token"]
        send(port, token, small)
        return grown(process, port, token, big)


def main() -> None:
    """Measure both ways, print and keep the figures, and fail above the limit."""
    figures = {}
    with keeping.durable_server("bench-upload") as postgres, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        big = folder / "big.uff"
        with big.open("wb") as out:
            sample.write_sample(out, readings=READINGS)
        ways = {"in the background": "20000000", "in the request": "1000000000"}
        for number, (way, limit) in enumerate(ways.items()):
            with keeping.empty_database(postgres, f"upload{number}") as variables:
                variables |= {"QUINTET_FILES_URL": name, "QUINTET_FLOWS_ASYNC_BYTES": limit}
                command = [sys.executable, "-m", "backend.cli", "identity", "demo"]
                subprocess.run(  # noqa: S603  our own command
                    command, env=os.environ | variables, check=True, stdout=subprocess.DEVNULL
                )
                status, megabytes = measured(variables, folder, big)
            figures[way] = {"status": status, "grown_mb": round(megabytes, 1)}
            size = big.stat().st_size / 1e6
            print(f"upload of {size:.0f} MB, {way}: {status}, {megabytes:.1f} MB more memory")
    keeping.keep("flows_upload", figures)
    assert figures["in the background"]["grown_mb"] < LIMIT_MB, figures


if __name__ == "__main__":
    main()
