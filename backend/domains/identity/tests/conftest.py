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
