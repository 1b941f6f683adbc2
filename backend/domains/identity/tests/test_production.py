import pytest

from backend.app import create_app
from backend.core.database import db

BASE = "https://localhost"
KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
    "-----END PRIVATE KEY-----\n"
)


@pytest.fixture
def browser(real_database):
    """A browser at the application as it is outside a person's own machine."""
    settings = real_database.extensions["settings"]
    app = create_app(
        PREFERRED_URL_SCHEME="https",  # Of the client's requests.
        environment="production",
        database_url=settings.database_url,
        database_owner_url=settings.database_owner_url,
        secret_key="a secret of its own",
        public_url=BASE,
        jwt_keys=KEY,
        mail_url="smtp://127.0.0.1:1",
    )
    yield app.test_client()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def submit_securely(browser, submit):
    def send(page, action=None, *, referrer=f"{BASE}/login", **fields):
        browser.environ_base["HTTP_REFERER"] = referrer
        return submit(browser, page, action, **fields)

    return send


def test_a_person_signs_in_and_out_with_a_cookie_that_is_bound_to_its_host(
    browser, submit_securely, member
):
    user = member("staff")
    credentials = {"email": user.email, "password": "correct horse battery"}
    answer = submit_securely("/login", **credentials)
    assert answer.status_code == 302
    cookie = next(each for each in answer.headers.getlist("Set-Cookie") if "quintet" in each)
    assert cookie.startswith("__Host-quintet=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert f"; {attribute}" in cookie
    assert "Domain" not in cookie
    assert browser.get("/admin/").status_code == 200
    assert submit_securely("/admin/", "/logout").location == "/login"
    assert browser.get("/admin/").status_code == 302


def test_a_form_that_comes_from_another_site_is_refused(submit_securely, member):
    user = member()
    credentials = {"email": user.email, "password": "correct horse battery"}
    answer = submit_securely("/login", referrer="https://evil.test/", **credentials)
    assert answer.status_code == 400


def test_the_refresh_cookie_is_secure_and_sent_to_signing_in_alone(browser, member, sign_in):
    answer = sign_in(member(), browser, remember=True)
    refresh, csrf = sorted(answer.headers.getlist("Set-Cookie"), reverse=True)
    assert refresh.startswith("__Secure-quintet-refresh=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/api/auth"):
        assert f"; {attribute}" in refresh
    assert csrf.startswith("__Host-quintet-csrf=")
    assert "HttpOnly" not in csrf
    for attribute in ("Secure", "SameSite=Strict", "Path=/"):
        assert f"; {attribute}" in csrf
