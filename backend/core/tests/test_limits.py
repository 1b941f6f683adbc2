import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import valkey

from backend.app import create_app
from backend.core import limits
from backend.core.database import db
from environments.local.valkey import Valkey

WRONG = {"email": "ada@quintet.test", "password": "wrong"}


@pytest.fixture
def server(tmp_path):
    server = Valkey(tmp_path)
    server.start()
    yield server
    if process := server.process():
        process.send_signal(signal.SIGCONT)
    server.stop()


@pytest.fixture
def serve(real_database):
    """Make applications with limits, as processes of one deployment are."""
    settings = real_database.extensions["settings"]
    made = []

    def make(**fields):
        app = create_app(
            TESTING=True,
            WTF_CSRF_ENABLED=False,
            database_url=settings.database_url,
            database_owner_url=settings.database_owner_url,
            files_url=settings.files_url,
            **fields,
        )
        made.append(app)
        return app

    yield make
    for app in made:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
            for pool in app.extensions["pools"].values():
                pool.dispose()


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    """Make limits small enough to reach."""
    kinds = {"password": ("3 per minute", "5 per minute"), "mail": ("2 per hour", "9 per hour")}
    monkeypatch.setattr(limits, "MARKED", kinds)


def sign_in(app, email="ada@quintet.test", **options):
    body = WRONG | {"email": email}
    return app.test_client().post("/api/auth/login", json=body, **options)


def statuses(app, count, **options):
    return [sign_in(app, **options).status_code for _ in range(count)]


def test_signing_in_is_limited_by_name_with_a_time_to_wait(serve):
    app = serve()
    assert statuses(app, 3) == [401] * 3
    refused = sign_in(app, email=" ADA@quintet.test ")
    assert (refused.status_code, refused.mimetype) == (429, "application/problem+json")
    assert refused.json["type"] == "/problems/too-many-requests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert statuses(app, 2, email="ben@quintet.test") == [401] * 2


def test_signing_in_is_limited_by_address_whatever_the_name(serve):
    app = serve()
    names = [f"{number}@quintet.test" for number in range(6)]
    assert [sign_in(app, email=name).status_code for name in names] == [401] * 5 + [429]
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert sign_in(app, environ_base=elsewhere).status_code == 401


def test_the_page_and_the_api_count_together_and_a_person_reads_a_page(serve):
    app = serve()
    assert statuses(app, 3) == [401] * 3
    form = {"data": WRONG, "headers": {"Accept": "text/html"}}
    refused = app.test_client().post("/login", **form)
    assert (refused.status_code, refused.mimetype) == (429, "text/html")
    assert "Retry-After" in refused.headers
    assert app.test_client().get("/login").status_code == 200


def test_asking_for_e_mails_is_limited_more_narrowly(serve):
    client = serve().test_client()
    body = {"email": "ada@quintet.test"}
    answers = [client.post("/password-reset", data=body).status_code for _ in range(3)]
    assert answers == [200, 200, 429]


def test_writes_are_limited_by_person_and_reads_and_health_are_not(serve, signed_in, monkeypatch):
    monkeypatch.setattr(limits, "WRITES", "4 per minute")
    app = serve()
    first, second = app.test_client(), app.test_client()
    for client in (first, second):
        client.set_cookie("quintet", signed_in("staff").get_cookie("quintet").value)
    address = "/admin/identity/people"
    answers = [first.post(address).status_code for _ in range(5)]
    assert answers == [422, 422, 422, 422, 429]
    assert second.post(address).status_code == 422
    for read in ("/healthz", "/readyz", "/", address):
        assert {first.get(read).status_code for _ in range(8)} == {200}
    assert app.test_client().post("/healthz").status_code == 405


def test_a_search_only_reads_and_counts_as_no_write_whatever_its_method(serve, monkeypatch):
    monkeypatch.setattr(limits, "WRITES", "2 per minute")
    client = serve().test_client()
    for method in ("POST", "QUERY"):
        path = "/api/expenses:search" if method == "POST" else "/api/expenses"
        answers = [client.open(path, method=method, json={}).status_code for _ in range(4)]
        assert answers == [200] * 4
    assert [client.post("/api/auth/refresh", json={}).status_code for _ in range(3)][-1] == 429


def test_addresses_of_one_network_of_ipv6_are_one_customers(serve):
    app = serve()
    for number in range(5):
        near = {"REMOTE_ADDR": f"2001:db8::{number:x}"}
        name = f"{number}@quintet.test"
        assert sign_in(app, email=name, environ_base=near).status_code == 401
    assert sign_in(app, environ_base={"REMOTE_ADDR": "2001:db8::ffff"}).status_code == 429
    assert sign_in(app, environ_base={"REMOTE_ADDR": "2001:db8:0:1::1"}).status_code == 401


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"email": 7}', b'"x"', b"\xff", b'{"email": ""}']
)
def test_a_body_that_cannot_be_read_is_refused_as_ever_and_counts(serve, body):
    client = serve().test_client()
    sent = {"data": body, "content_type": "application/json"}
    answers = [client.post("/api/auth/login", **sent).status_code for _ in range(6)]
    assert answers[-1] == 429
    assert set(answers[:5]) <= {400, 422}


def test_two_processes_count_together_in_valkey(serve, server):
    one, two = (serve(limits_url=server.url) for _ in range(2))
    assert statuses(one, 2) == [401] * 2
    assert statuses(two, 2) == [401, 429]
    assert statuses(one, 1) == [429]


def test_valkey_holds_nobody_s_address(serve, server):
    sign_in(serve(limits_url=server.url))
    with valkey.from_url(server.url.replace("redis", "valkey")) as client:
        keys = b" ".join(client.keys("*"))
    assert keys
    assert b"ada" not in keys
    assert b"127.0.0.1" not in keys


def _timed(app):
    started = time.monotonic()
    status = sign_in(app).status_code
    assert time.monotonic() - started < 1
    return status


@pytest.mark.parametrize("trouble", ["stopped", "paused"])
def test_without_valkey_the_answer_is_quick_and_the_limit_holds_in_memory(serve, server, trouble):
    app = serve(limits_url=server.url)
    assert _timed(app) == 401
    if trouble == "stopped":
        server.process().kill()
    else:
        os.kill(server.process().pid, signal.SIGSTOP)
    assert [_timed(app) for _ in range(5)] == [401, 401, 401, 429, 429]


def test_of_many_who_find_valkey_away_at_once_none_passes_uncounted(serve, server):
    app = serve(limits_url=server.url)
    assert statuses(app, 4) == [401, 401, 401, 429]
    for _ in range(2):
        os.kill(server.process().pid, signal.SIGSTOP)
        with ThreadPoolExecutor(8) as pool:
            found = sorted(each.status_code for each in pool.map(sign_in, [app] * 8))
        assert found in ([401] * 3 + [429] * 5, [429] * 8)
        os.kill(server.process().pid, signal.SIGCONT)
        _await_recovery(app)
    assert found == [429] * 8


def test_a_process_that_starts_without_valkey_serves(serve):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = serve(limits_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert [_timed(app) for _ in range(4)] == [401, 401, 401, 429]
    app = serve(limits_url="redis://127.0.0.1:1/0")
    assert [_timed(app) for _ in range(4)] == [401, 401, 401, 429]


def test_counting_together_goes_on_when_valkey_is_back(serve, server):
    one, two = (serve(limits_url=server.url) for _ in range(2))
    assert statuses(one, 1) == [401]
    os.kill(server.process().pid, signal.SIGSTOP)
    assert statuses(one, 1) == [401]
    os.kill(server.process().pid, signal.SIGCONT)
    _await_recovery(one)
    assert statuses(one, 2) == [401] * 2
    assert statuses(two, 1) == [429]


def _await_recovery(app):
    """Send requests from elsewhere, each of which may find out that Valkey is back."""
    (limiter,) = app.extensions["limiter"]
    for number in range(100):
        sign_in(app, environ_base={"REMOTE_ADDR": f"198.51.100.{number}"})
        if not limiter._storage_dead:
            return
        time.sleep(0.2)


def test_valkey_is_all_that_the_web_process_connects_to(serve, server):
    """A broker that is set by mistake is never called, and the limits' connections are few."""
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(0.1)
        url = f"redis://127.0.0.1:{broker.getsockname()[1]}/0"
        app = serve(limits_url=server.url, broker_url=url)
        threads = [threading.Thread(target=sign_in, args=[app]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        app.test_client().post("/password-reset", data={"email": "ada@quintet.test"})
        with pytest.raises(TimeoutError):
            broker.accept()
    with valkey.from_url(server.url.replace("redis", "valkey")) as client:
        others = [each for each in client.client_list() if each["cmd"] != "client|list"]
    assert 1 <= len(others) <= len(threads)
