"""The API as its users see it: a process of its own, signed in to, sent files, and watched."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import requests

from backend.core import database
from backend.domains.flows import sample
from backend.domains.identity.services import demonstration, people
from e2e.faults.servers import Broker
from e2e.faults.stand import Stand
from environments.local import places, processes

STAFF = {"email": "staff@quintet.test", "password": "quintet-demo"}
FILES = "/api/flows/files"


def written(seed: int, readings: int) -> bytes:
    """Return an invented flow file."""
    out = BytesIO()
    sample.write_sample(out, readings=readings, seed=seed)
    return out.getvalue()


class Front:
    """One API, whose limits are counted in a Valkey of its own, and people who use it."""

    def __init__(self, stand: Stand, **variables: str) -> None:
        self.limits = Broker(places.own_folder(stand.folder / "limits"))
        self.limits.start()
        port = processes.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._calls = stand.folder / f"calls-{port}.log"
        self._calls.touch()
        self.keeper = stand.keep(
            "e2e.faults.run_api",
            [str(port), str(self._calls)],
            variables | {"REDIS_URL": "", "QUINTET_LIMITS_URL": self.limits.url},
        )
        self.people: list[requests.Session] = []
        self._app = stand.app
        with self._app.app_context(), database.transaction():
            demonstration.create(password=STAFF["password"])
        stand.until(self.answers, within=30)

    def answers(self) -> bool:
        """Say whether it is ready."""
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        return False

    def sign_in(self) -> "Front":
        """Have a person use the API."""
        self._sign_in(STAFF)
        return self

    def sign_in_colleagues(self, number: int) -> None:
        """Have so many more people use it: one alone may write only so often."""
        for each in range(number):
            colleague = STAFF | {"email": f"colleague-{each}@quintet.test"}
            with self._app.app_context(), database.transaction():
                if people.find(email=colleague["email"]) is None:
                    people.create(name="A Colleague", roles=["staff"], actor_id=None, **colleague)
            self._sign_in(colleague)

    def _sign_in(self, person: dict[str, str]) -> None:
        session = requests.Session()
        answer = session.post(f"{self.url}/api/auth/login", json=person, timeout=30)
        token = answer.json()["data"]["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        self.people.append(session)

    def sign_in_to_console(self) -> requests.Session:
        """Return a browser in which the same person is signed in."""
        browser = requests.Session()
        form = browser.get(f"{self.url}/login", timeout=30).text
        (token,) = set(re.findall(r'name="csrf_token" value="([^"]+)"', form))
        browser.post(f"{self.url}/login", data=STAFF | {"csrf_token": token}, timeout=30)
        return browser

    def send(self, content: bytes, by: int = 0, **headers: str) -> requests.Response:
        """Upload one file, by one of the people."""
        files = {"files": ("sent.uff", content)}
        sender = self.people[by % len(self.people)]
        return sender.post(f"{self.url}{FILES}", files=files, headers=headers, timeout=60)

    def stop(self) -> None:
        """Stop what the stand does not."""
        for each in self.people:
            each.close()
        self.limits.stop()

    def called(self) -> set[int]:
        """Return the ports that the API's Python has connected to, each of them ever."""
        return {int(port) for port in self._calls.read_text().split()}


def paced(work: Callable[[int], object], count: int, pause: float) -> list[float]:
    """Do the work so often, beginning once in each pause, and return how long each took."""
    times, began = [], time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began + number * pause - time.monotonic()))
        started = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - started)
    return times
