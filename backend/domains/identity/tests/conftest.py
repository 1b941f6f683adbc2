import re

import pytest

from backend.domains.identity import passwords

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _protected_forms(_session_app, monkeypatch):
    monkeypatch.setitem(_session_app.config, "WTF_CSRF_ENABLED", value=True)


@pytest.fixture(scope="session")
def password_hash():
    return passwords.hashed(PASSWORD)


@pytest.fixture
def member(person, password_hash):
    """A person who can sign in with "correct horse battery"."""

    def create(*roles, **fields):
        return person(*roles, password_hash=password_hash, **fields)

    return create


@pytest.fixture
def sign_in(app):
    """Sign in to the API; returns the answer and the client, which may have a cookie now."""

    def post(user, client=None, *, password=PASSWORD, **options):
        body = {"email": user.email, "password": password} | options
        return (client or app.test_client()).post("/api/auth/login", json=body)

    return post


@pytest.fixture
def submit():
    """Open a page as a browser would, and send one of its forms."""

    def send(client, page, action=None, **fields):
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page).text).group(1)
        return client.post(action or page, data=fields | {"csrf_token": token})

    return send


@pytest.fixture
def bearer():
    return lambda token: {"Authorization": f"Bearer {token}"}


class Visitor:
    """Somebody with a browser who is not signed in."""

    def __init__(self, client, submit):
        self.client, self._submit = client, submit

    def get(self, page):
        return self.client.get(page)

    def ask(self, email):
        """Ask for a link to choose another password."""
        return self._submit(self.client, "/password-reset", email=email)

    def choose(self, page, password="a new password", again=None, action=None):
        """Choose a password on the page that a link leads to."""
        fields = {"password": password, "again": again or password}
        return self._submit(self.client, page, action, **fields)

    def can_sign_in(self, email, password="a new password"):
        body = {"email": email, "password": password}
        return self.client.post("/api/auth/login", json=body).status_code == 200


@pytest.fixture
def visitor(client, submit):
    return Visitor(client, submit)
