from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from backend.core import auth
from backend.core.auth import identities, keys, people, tokens
from backend.core.config import InvalidSettings, Settings


def _private(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public(key):
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


@pytest.fixture
def settings():
    return Settings(database_url="postgresql://nobody@nowhere.test/nothing")


def test_a_machine_of_one_s_own_derives_its_key_from_the_secret_key(settings):
    first, second = keys.read_keys(settings), keys.read_keys(settings)
    assert first.kid == second.kid
    assert keys.read_keys(replace(settings, secret_key="another")).kid != first.kid


def test_the_first_key_signs_and_every_key_is_accepted(settings):
    new, old = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    pems = _private(new) + "\n" + _public(old)
    found = keys.read_keys(replace(settings, jwt_keys=pems))
    assert len(found.accepted) == 2
    token = jwt.encode({"a": 1}, found.signing, "EdDSA")
    assert jwt.decode(token, found.accepted[found.kid], ["EdDSA"]) == {"a": 1}
    one_line = keys.read_keys(replace(settings, jwt_keys=_private(new).replace("\n", "\r\n")))
    assert one_line.kid == found.kid


@pytest.mark.parametrize("case", ["public", "elliptic", "broken", "text"])
def test_a_key_that_cannot_sign_as_we_do_refuses_the_start(case, settings):
    pem = {
        "public": _public(Ed25519PrivateKey.generate()),
        "elliptic": _private(generate_private_key(SECP256R1())),
        "broken": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "text": "no key",
    }[case]
    with pytest.raises(InvalidSettings, match="QUINTET_JWT_KEYS"):
        keys.read_keys(replace(settings, environment="production", jwt_keys=pem))


def test_keys_change_without_anybody_signed_out(app, person, client):
    settings = app.extensions["settings"]
    claims = {
        "user_id": person().id,
        "family": uuid4(),
        "signed_in_at": identities.microseconds(datetime.now(UTC)),
        "expires_at": datetime.now(UTC) + tokens.REFRESH_TOKEN_AGE,
    }
    before = keys.read_keys(settings)
    token = tokens.issue(**claims).access
    new = Ed25519PrivateKey.generate()
    changed = replace(settings, jwt_keys=_private(new) + _private(before.signing))
    manager = app.extensions["flask-jwt-extended"]
    try:
        tokens._load_keys(manager, keys.read_keys(changed))
        later = tokens.issue(**claims).access
        assert jwt.get_unverified_header(later)["kid"] != before.kid
        for each in (token, later):
            headers = {"Authorization": f"Bearer {each}"}
            assert client.get("/api/auth/me", headers=headers).status_code == 200
    finally:
        tokens._load_keys(manager, before)


def test_a_loader_adds_roles_and_facts_to_every_request(app, signed_in, monkeypatch):
    monkeypatch.setattr(identities, "_loaders", [])
    client = signed_in()
    assert client.get("/admin/").status_code == 403

    def load(user_id):
        return {"roles": ["staff"], "banks": [str(user_id)]}

    auth.register_loader(load)
    auth.register_loader(load)
    assert client.get("/admin/").status_code == 200
    assert client.get("/api/auth/me").json["data"]["roles"] == ["staff"]
    found = identities.resolve(
        identities.Proof(
            user_id=client.person.id,
            signed_in_at=identities.microseconds(datetime.now(UTC)),
            ids=(uuid4(),),
        )
    )
    assert found.facts == {"banks": [str(client.person.id)]}
    assert identities._loaders == [load]


def test_navigation_shows_only_what_a_person_may_enter(client, signed_in):
    assert "/admin/identity/people" not in client.get("/").text
    assert "/admin/identity/people" not in signed_in().get("/").text
    assert "/admin/identity/people" in signed_in("staff").get("/").text


def test_outside_a_request_nobody_is_asking(app):
    assert auth.current_identity() is None


@pytest.mark.parametrize(
    "target", ["/", "/admin/", "/a?b=c&d=/e", "/a%20b", "/a#b", "/a?next=https://x.test", "/ä"]
)
def test_paths_of_this_site_are_led_to(target):
    assert auth.local_path(target) == target


@pytest.mark.parametrize(
    "target",
    [None, "", "a", "//a", "/\\a", "\\a", "/\t/a", "/a\nb", " /a", "https://a", "/" + "a" * 3000],
)
def test_whatever_else_is_not(target):
    assert auth.local_path(target, "/home") == "/home"


def test_other_domains_ask_about_people_by_id_and_address(app, person):
    user = person(email="ada@quintet.test", name="Ada")
    found = people.find(email="ADA@quintet.test")
    assert (found.id, found.email, found.name) == (user.id, "ada@quintet.test", "Ada")
    assert people.find(email="nobody@quintet.test") is None
    assert people.named(ids=[user.id, uuid4()]) == {user.id: found}
    assert people.invite(email="ada@quintet.test", name="Other", invited_by=None) == found
    new = people.invite(email="new@quintet.test", name="New", invited_by=user.id)
    assert people.find(email="new@quintet.test") == new
