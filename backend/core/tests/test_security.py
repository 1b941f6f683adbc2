import io

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import request, session

from backend.app import create_app
from backend.core.auth import PageBlueprint
from backend.core.security import body_limit

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


gate_blueprint = PageBlueprint("gate", __name__, public=True)
closed_blueprint = PageBlueprint("closed", __name__)


@gate_blueprint.post("/small")
def take_small():
    return str(len(request.get_data()))


@gate_blueprint.post("/large")
@body_limit(1_000_000)
def take_large():
    return str(len(request.get_data()))


@gate_blueprint.post("/form")
@body_limit(1_000_000)
def take_form():
    return " ".join((*request.form, *request.files))


@gate_blueprint.get("/mine")
def show_mine():
    session["user_id"] = "not a person"
    return "mine", {"Cache-Control": "public"}


@gate_blueprint.get("/api/gate")
def show_data():
    return {}, {"Cache-Control": "no-cache"}


@closed_blueprint.post("/closed")
@body_limit(10_000_000)
def take_closed():
    return "never"


def _create_app(**overrides):
    app = create_app(database_url=NOWHERE, WTF_CSRF_ENABLED=False, **overrides)
    app.register_blueprint(gate_blueprint)
    app.register_blueprint(closed_blueprint)
    return app


@pytest.fixture(scope="module")
def gate_app():
    return _create_app()


@pytest.fixture
def gate(gate_app):
    return gate_app.test_client()


@pytest.mark.parametrize("address", ["/", "/nowhere", "/api/nowhere", "/healthz"])
def test_every_answer_tells_the_browser_what_not_to_do(gate, address):
    headers = gate.get(address).headers
    policy = headers["Content-Security-Policy"].split("; ")
    assert {
        "default-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "object-src 'none'",
    } == set(policy)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers


def test_outside_local_only_https_is_used(gate_app):
    settings = {
        "environment": "production",
        "secret_key": "its own",
        "public_url": "https://quintet.example",
        "mail_url": "smtp://127.0.0.1:1",
    }
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    app = _create_app(jwt_keys=key.decode(), **settings)
    headers = app.test_client().get("/healthz").headers
    assert headers["Strict-Transport-Security"].startswith("max-age=63072000")


def test_a_signed_in_page_is_never_kept(gate):
    assert gate.get("/mine").headers["Cache-Control"] == "no-store"


def test_what_says_nothing_of_caching_is_never_kept(gate):
    assert gate.get("/").headers["Cache-Control"] == "no-store"


def test_the_api_decides_on_caching_by_itself(gate):
    gate.get("/mine")
    assert gate.get("/api/gate").headers["Cache-Control"] == "no-cache"


def test_a_body_above_the_limit_is_refused(gate):
    assert gate.post("/small", data=b"x" * 256 * 1024).text == "262144"
    refused = gate.post("/small", data=b"x" * (256 * 1024 + 1))
    assert (refused.status_code, refused.json["type"]) == (413, "/problems/too-large")


def test_a_view_may_accept_more(gate):
    assert gate.post("/large", data=b"x" * 1_000_000).text == "1000000"
    assert gate.post("/large", data=b"x" * 1_000_001).status_code == 413


def test_a_form_without_files_stays_small_where_files_may_be_large(gate):
    form = "application/x-www-form-urlencoded"
    assert gate.post("/large", data=b"x" * 256 * 1024, content_type=form).status_code == 200
    refused = gate.post("/large", data=b"x" * (256 * 1024 + 1), content_type=form)
    assert refused.status_code == 413
    assert "multipart/form-data" in refused.json["detail"]


HEAD = b'--b\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n'


@pytest.mark.parametrize(
    "body",
    [
        HEAD % b"a.uff" + b"x" * 600_000,
        HEAD % b"a.uff" + b"x\r\n--b\r\n",
        HEAD % b"Z\xe4hler.uff" + b"x\r\n--b--\r\n",
        b"no boundary at all",
    ],
)
def test_a_form_that_cannot_be_read_is_refused_and_not_taken_for_an_empty_one(gate, body):
    refused = gate.post("/form", data=body, content_type="multipart/form-data; boundary=b")
    assert (refused.status_code, refused.json["type"]) == (400, "/problems/form-unreadable")


def test_a_form_that_can_be_read_is(gate):
    body = HEAD % b"a.uff" + b"x" * 600_000 + b"\r\n--b--\r\n"
    answer = gate.post("/form", data=body, content_type="multipart/form-data; boundary=b")
    assert answer.text == "files"


def test_a_body_without_a_length_is_refused_before_it_could_be_cut_off(gate):
    chunked = {
        "CONTENT_LENGTH": "",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": io.BytesIO(b"x" * 300_000),
        "wsgi.input_terminated": True,
    }
    assert gate.post("/small", environ_overrides=chunked).status_code == 411


class _Unread(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, _buffer):
        raise AssertionError("the body was read")


def test_the_unauthorised_are_refused_before_a_large_body_is_read(gate_app):
    gate_app.config["WTF_CSRF_ENABLED"] = True
    form = {
        "CONTENT_LENGTH": "9000000",
        "CONTENT_TYPE": "multipart/form-data; boundary=b",
        "wsgi.input": _Unread(),
    }
    refused = gate_app.test_client().post("/closed", environ_overrides=form)
    gate_app.config["WTF_CSRF_ENABLED"] = False
    assert (refused.status_code, refused.location) == (302, "/login")


FRIEND, STRANGER = "https://friend.example", "https://stranger.example"


def test_pages_of_an_origin_that_is_named_may_use_the_api_and_see_what_it_tells():
    client = _create_app(browser_origins=(FRIEND,)).test_client()
    headers = client.get("/api/gate", headers={"Origin": FRIEND}).headers
    assert headers["Access-Control-Allow-Origin"] == FRIEND
    assert {"ETag", "Link", "Location", "Content-Disposition", "Retry-After"} <= set(
        headers["Access-Control-Expose-Headers"].split(", ")
    )
    assert "Access-Control-Allow-Credentials" not in headers
    asked = {
        "Origin": FRIEND,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization, if-none-match",
    }
    allowed = client.options("/api/gate", headers=asked).headers
    assert allowed["Access-Control-Allow-Origin"] == FRIEND
    assert "if-none-match" in allowed["Access-Control-Allow-Headers"].lower()


@pytest.mark.parametrize(
    ("origins", "origin", "address"),
    [
        ((), FRIEND, "/api/gate"),
        ((FRIEND,), STRANGER, "/api/gate"),
        ((FRIEND,), FRIEND, "/mine"),
    ],
)
def test_nobody_else_s_pages_may_and_no_page_of_ours_is_read_by_others(origins, origin, address):
    client = _create_app(browser_origins=origins).test_client()
    headers = client.get(address, headers={"Origin": origin}).headers
    assert "Access-Control-Allow-Origin" not in headers
