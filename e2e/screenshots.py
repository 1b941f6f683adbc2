"""Picture every page, by day and by night, at a desk and on a phone, and fail on what is broken.

python e2e/screenshots.py [URL]     without a URL: on a server of its own, with demonstration data

The pages are those of the application's URL map; of a page with a parameter the example is the
first link to it on those that were seen.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from itertools import product
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from playwright.sync_api import APIRequestContext, Browser, ConsoleMessage, Page, sync_playwright
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
SCHEMES = ("light", "dark")
MACHINES_PAGES = {"explain_problem", "favicon", "healthz", "readyz", "static"}
OK = 200

NOTE_VIOLATIONS = """window.violations = [];
document.addEventListener("securitypolicyviolation", event =>
  window.violations.push(`violates the CSP: ${event.violatedDirective} ${event.blockedURI}`));"""
WHAT_IS_WRONG = """() => {
  const wrong = [...window.violations];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth)
    wrong.push(`is ${root.scrollWidth} pixels wide on a screen of ${root.clientWidth}`);
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

    with testing.server(), testing.database(migrate) as database:
        app = create_app(database_url=database.url, database_owner_url=database.owner_url)
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
    while waiting:
        path = waiting.pop(0)
        endpoint = _endpoint(adapter, path)
        if endpoint is None or endpoint in shots:
            continue
        answer = requests.get(url + path, max_redirects=0)
        if answer.status != OK or not answer.headers["content-type"].startswith("text/html"):
            continue
        shots[endpoint] = Shot(endpoint.replace(".", "-"), path)
        if search := re.search(r'<input[^>]* name="(\w+)" type="search"', answer.text()):
            address = f"{path}?{search[1]}=zz-found-nowhere"
            shots[f"{endpoint}?"] = Shot(f"{shots[endpoint].name}-nothing-found", address)
        links = re.findall(r'<a [^>]*href="(/[^"#]*)', answer.text())
        waiting += [unescape(link) for link in links]
    return [*ALWAYS, *shots.values()]


def _endpoint(adapter: MapAdapter, path: str) -> str | None:
    """Return the endpoint of a page for people."""
    try:
        endpoint, _ = adapter.match(urlsplit(path).path)
    except HTTPException:
        return None
    return None if path.startswith("/api") or endpoint in MACHINES_PAGES else str(endpoint)


@dataclass
class Camera:
    """A browser page that notes whatever is wrong with what it shows."""

    page: Page
    url: str
    mode: str
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
        answer = self.page.goto(self.url + shot.path, wait_until="networkidle")
        if answer.status != shot.status:
            self._blame(f"answers {answer.status}")
        for each in self.page.evaluate(WHAT_IS_WRONG):
            self._blame(each)
        self.page.screenshot(path=FOLDER / self.mode / f"{shot.name}.png", full_page=True)

    def _hear(self, message: ConsoleMessage) -> None:
        is_expected = self.shot.status != OK and "Failed to load resource" in message.text
        if message.type == "error" and not is_expected:
            self._blame(f"logs “{message.text}”")

    def _blame(self, what: str) -> None:
        self.wrong.append(f"{self.mode} {self.shot.path} {what}")


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
                storage_state=cookies if is_signed_in else None,
                is_mobile=size == "phone",
            )
            camera = Camera(context.new_page(), url, f"{size}-{scheme}", wrong)
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
    print("\n".join(wrong), file=sys.stderr)
    return int(bool(wrong))


@contextmanager
def _given(url: str) -> Iterator[str]:
    yield url.rstrip("/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
