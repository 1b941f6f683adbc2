"""Picture every page, by day and by night, at a desk and on a phone, and fail on what is broken.

python e2e/screenshots.py [URL]     without a URL: on a server of its own, with demonstration data

The pages are those of the application's URL map; of a page with a parameter the example is the
first link to it on those that were seen.
"""

import os
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from itertools import product
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urljoin, urlsplit

from playwright.sync_api import (
    APIRequestContext,
    APIResponse,
    Browser,
    ConsoleMessage,
    Page,
    sync_playwright,
)
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter
from werkzeug.serving import make_server

from backend.app import create_app
from backend.core import migrations

FOLDER = Path(__file__).parent.parent / "screenshots"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
STAFF = "staff@quintet.test"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
NARROWEST = 320  # Nothing scrolls sideways there either, as WCAG's reflow asks.
SCHEMES = ("light", "dark")
MACHINES_PAGES = {"explain_problem", "favicon", "healthz", "readyz", "static"}
OK = 200
BROKEN = 500
KINDS = 5  # So many of an address's ways to be asked are pictured; filters have hundreds.
EXAMPLES = 5  # So many pages of a kind are read for their links; the first one is pictured.

NOTE_VIOLATIONS = """window.violations = [];
document.addEventListener("securitypolicyviolation", event =>
  window.violations.push(`violates the CSP: ${event.violatedDirective} ${event.blockedURI}`));"""
WHAT_IS_WRONG = """() => {
  const wrong = [...window.violations];
  if ((document.querySelector("main")?.innerText ?? "").trim().length < 20) wrong.push("is empty");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("needs one h1");
  for (const each of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!each.labels.length && !each.ariaLabel) wrong.push(`has no label for ${each.name}`);
  return wrong;
}"""


@dataclass(frozen=True)
class Shot:
    """One page as one person sees it."""

    name: str
    path: str
    status: int = OK
    is_signed_in: bool = True


ALWAYS = (
    Shot("start-signed-out", "/", is_signed_in=False),
    Shot("login", "/login", is_signed_in=False),
    Shot("problem-not-found", "/there-is-no-such-page", status=404),
    Shot("problem-type", "/problems/not-found"),
    Shot("expenses-by-month", "/expenses?by=month(date)"),
    Shot("expenses-by-two-keys", "/expenses?by=departments,month(date)&top=9"),
    Shot("expenses-with-mistakes", "/expenses?amount[gte]=much&nothing=1", status=400),
    Shot("expenses-none", "/expenses?member_name=Nobody"),
    Shot("file-with-mistakes", "/admin/flows/files/1?severity=bad&nothing=1", status=400),
    Shot("readings-by-mpan", "/admin/flows/readings?q=99+0055+5000+013"),
    Shot("readings-by-serial", "/admin/flows/readings?q=qd5550003&history=true"),
)


def missing_tool() -> str | None:
    """Return what this machine lacks."""
    if shutil.which(CHROMIUM):
        return None
    return f"{CHROMIUM} (Debian's package chromium; CHROMIUM= names another)"


@contextmanager
def served() -> Iterator[str]:
    """Serve demonstration data from a throw-away database."""
    from environments.local import testing  # noqa: PLC0415  only without a URL

    def migrate(**urls: str) -> None:
        create_app(database_url=urls["application_url"])
        migrations.migrate(**urls)

    files = tempfile.TemporaryDirectory()
    with testing.server(), testing.database(migrate) as database, files as folder:
        urls = {"database_url": database.url, "database_owner_url": database.owner_url}
        app = create_app(files_url=folder, **urls)
        with app.app_context():
            app.test_cli_runner().invoke(args=["demo"], catch_exceptions=False)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.shutdown()


def sign_in(page: Page, url: str) -> None:
    """Sign in as a member of the staff."""
    page.goto(f"{url}/login")
    page.fill("input[type=email]", STAFF)
    page.fill("input[type=password]", os.environ.get("QUINTET_DEMO_PASSWORD", "quintet-demo"))
    page.click("main button[type=submit]")
    page.wait_for_url(lambda found: urlsplit(found).path != "/login", timeout=10_000)


def discover(requests: APIRequestContext, url: str) -> list[Shot]:
    """Return a shot of every page that can be reached, an empty search of each search included."""
    application = create_app(database_url="postgresql://nowhere")  # For its URL map alone.
    adapter = application.url_map.bind(urlsplit(url).netloc)
    rules = [rule for rule in application.url_map.iter_rules() if "GET" in (rule.methods or ())]
    waiting = [rule.rule for rule in rules if not rule.arguments]
    shots: dict[str, Shot] = {}
    read: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, set[str]] = defaultdict(set)
    while waiting:
        path = waiting.pop(0)
        name = _name(adapter, path)
        if name is None or path in read[name] or len(read[name]) == EXAMPLES:
            continue
        kinds[name.partition("-by-")[0]].add(name)
        if len(kinds[name.partition("-by-")[0]]) > KINDS and name not in shots:
            continue
        read[name].add(path)
        answer = requests.get(url + path, max_redirects=0)
        if answer.status < BROKEN and not _is_page(answer):
            continue
        shots.setdefault(name, Shot(name, path))  # What is broken fails in its picture.
        if search := re.search(r'<input[^>]* name="(\w+)" type="search"', answer.text()):
            nothing = f"{name.partition('-by-')[0]}-nothing-found"
            address = f"{path.partition('?')[0]}?{search[1]}=found-nowhere"
            shots.setdefault(nothing, Shot(nothing, address))
        links = re.findall(r'<a [^>]*href="([^"]*)', answer.text())
        waiting += [urljoin(path, unescape(link)).partition("#")[0] for link in links]
    return [*ALWAYS, *shots.values()]


def _is_page(answer: APIResponse) -> bool:
    return answer.status == OK and answer.headers["content-type"].startswith("text/html")


def _name(adapter: MapAdapter, path: str) -> str | None:
    """Return the name of a page for people: its endpoint and what its query asks for."""
    parts = urlsplit(path)
    try:
        endpoint, _ = adapter.match(parts.path)
    except HTTPException:
        return None
    if parts.netloc or parts.path.startswith("/api") or endpoint in MACHINES_PAGES:
        return None
    return "-by-".join([endpoint.replace(".", "-"), *sorted(parse_qs(parts.query))])


@dataclass
class Camera:
    """A browser page that notes whatever is wrong with what it shows."""

    page: Page
    url: str
    size: str
    scheme: str
    wrong: list[str] = field(default_factory=list)
    shot: Shot = ALWAYS[0]

    def __post_init__(self) -> None:
        """Listen to what the browser says."""
        self.page.add_init_script(NOTE_VIOLATIONS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._blame(str(error)))
        self.page.on("requestfailed", lambda request: self._blame(f"lost {request.url}"))

    def take(self, shot: Shot) -> None:
        """Visit the page, look it over, and picture it."""
        self.shot = shot
        answer = self.page.goto(self.url + shot.path, wait_until="load")
        if answer.status != shot.status:
            self._blame(f"answers {answer.status}")
        for each in self.page.evaluate(WHAT_IS_WRONG):
            self._blame(each)
        self.page.screenshot(
            path=FOLDER / f"{self.size}-{self.scheme}" / f"{shot.name}.png", full_page=True
        )
        for width in (NARROWEST, SIZES[self.size][0]):
            self.page.set_viewport_size({"width": width, "height": SIZES[self.size][1]})
            if (needed := self.page.evaluate("document.documentElement.scrollWidth")) > width:
                self._blame(f"is {needed} pixels wide on a screen of {width}")

    def _hear(self, message: ConsoleMessage) -> None:
        is_expected = self.shot.status != OK and "Failed to load resource" in message.text
        if message.type == "error" and not is_expected:
            self._blame(f"logs “{message.text}”")

    def _blame(self, what: str) -> None:
        self.wrong.append(f"{self.size} {self.scheme} {self.shot.path} {what}")


def picture(browser: Browser, url: str) -> list[str]:
    """Write the pictures and return what is wrong."""
    visitor = browser.new_context(base_url=url)
    sign_in(visitor.new_page(), url)
    cookies = visitor.storage_state()
    shots = discover(visitor.request, url)
    wrong: list[str] = []
    for (size, (width, height)), scheme in product(SIZES.items(), SCHEMES):
        for is_signed_in in (False, True):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                locale="en-GB",
                storage_state=cookies if is_signed_in else None,
                is_mobile=size == "phone",
            )
            camera = Camera(context.new_page(), url, size, scheme, wrong)
            for shot in shots:
                if shot.is_signed_in is is_signed_in:
                    camera.take(shot)
            context.close()
    print(f"{len(shots)} pages in {len(SIZES) * len(SCHEMES)} ways are in {FOLDER}")
    return wrong


def main(arguments: list[str]) -> int:
    """Picture every page; return 1 when something is wrong, or a tool is missing but required."""
    if lack := missing_tool():
        print(f"screenshots: skipped, for want of {lack}")
        return int(os.environ.get("QUINTET_REQUIRE_TOOLS") == "1")
    shutil.rmtree(FOLDER, ignore_errors=True)
    with served() if not arguments else _given(arguments[0]) as url, sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, chromium_sandbox=os.geteuid() != 0
        )
        wrong = picture(browser, url)
        browser.close()
    for each in wrong:
        print(each, file=sys.stderr)
    return int(bool(wrong))


@contextmanager
def _given(url: str) -> Iterator[str]:
    yield url.rstrip("/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
