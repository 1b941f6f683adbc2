"""The API as its users see it: a process of its own, signed in to, sent files, and watched."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO

import psutil
import requests

from backend.core import database
from backend.domains.flows import sample
from backend.domains.identity.services import demonstration
from e2e.faults.servers import Broker
from e2e.faults.stand import Stand
from environments.local import places, processes

STAFF = {"email": "staff@quintet.test", "password": "quintet-demo"}
FILES = "/api/flows/files"
LOOK = 0.02  # Seconds between two looks at the sockets.


def written(seed: int, readings: int) -> bytes:
    """Return an invented flow file."""
    out = BytesIO()
    sample.write_sample(out, readings=readings, seed=seed)
    return out.getvalue()


class Front:
    """One API, whose limits are counted in a Valkey of its own, and a person who uses it."""

    def __init__(self, stand: Stand, **variables: str) -> None:
        self.limits = Broker(places.own_folder(stand.folder / "limits"))
        self.limits.start()
        port = processes.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.keeper = stand.keep(
            "e2e.faults.run_api",
            [str(port)],
            variables | {"REDIS_URL": "", "QUINTET_LIMITS_URL": self.limits.url},
        )
        self.person = requests.Session()
        with stand.app.app_context(), database.transaction():
            demonstration.create(password=STAFF["password"])
        stand.until(self.answers, within=30)

    def answers(self) -> bool:
        """Say whether it is ready."""
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        return False

    def sign_in(self) -> "Front":
        """Have the person use the API."""
        answer = self.person.post(f"{self.url}/api/auth/login", json=STAFF, timeout=30)
        token = answer.json()["data"]["access_token"]
        self.person.headers["Authorization"] = f"Bearer {token}"
        return self

    def sign_in_to_console(self) -> requests.Session:
        """Return a browser in which the same person is signed in."""
        browser = requests.Session()
        form = browser.get(f"{self.url}/login", timeout=30).text
        (token,) = set(re.findall(r'name="csrf_token" value="([^"]+)"', form))
        browser.post(f"{self.url}/login", data=STAFF | {"csrf_token": token}, timeout=30)
        return browser

    def send(self, content: bytes, **headers: str) -> requests.Response:
        """Upload one file."""
        files = {"files": ("sent.uff", content)}
        return self.person.post(f"{self.url}{FILES}", files=files, headers=headers, timeout=60)

    def stop(self) -> None:
        """Stop what the stand does not."""
        self.person.close()
        self.limits.stop()

    @contextmanager
    def watched(self) -> Iterator[set[int]]:
        """Collect the ports to which the API's processes have connections."""
        ports: set[int] = set()
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(LOOK):
                ports.update(self._ports())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield ports
        finally:
            is_over.set()
            watcher.join()

    def _ports(self) -> Iterator[int]:
        for process in (self.keeper.process, *self.keeper.process.children(recursive=True)):
            with suppress(psutil.Error):
                for each in process.net_connections():
                    if each.raddr:
                        yield each.raddr.port


def paced(work: Callable[[int], object], count: int, pause: float) -> list[float]:
    """Do the work so often, beginning once in each pause, and return how long each took."""
    times, began = [], time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number * pause - time.monotonic()))
        started = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - started)
    return times
