import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from backend.core.audit import AuditEvent
from backend.core.auth import keys
from backend.core.database import db
from backend.domains.identity.models import RefreshToken, Revocation
from backend.domains.identity.services import people


def _actions():
    return db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.sequence)).all()


def test_a_program_signs_in_and_gets_tokens_in_the_body(member, sign_in, client, bearer):
    user = member("staff", email="ada@quintet.test", name="Ada")
    answer = sign_in(user)
    assert answer.status_code == 200
    assert set(answer.json["data"]) == {"access_token", "refresh_token", "expires_in"}
    assert answer.json["data"]["expires_in"] == 900
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    me = client.get("/api/auth/me", headers=bearer(answer.json["data"]["access_token"]))
    assert me.json["data"] == {
        "id": str(user.id),
        "email": "ada@quintet.test",
        "name": "Ada",
        "roles": ["staff"],
    }


def test_the_address_may_be_written_in_any_case(member, sign_in):
    user = member(email="ada@quintet.test")
    db.session.expunge(user)
    user.email = " Ada@Quintet.TEST "
    assert sign_in(user).status_code == 200


@pytest.mark.parametrize(
    "case", ["unknown", "wrong", "disabled", "without a password", "no address"]
)
def test_every_refused_sign_in_has_the_same_answer_and_is_audited(case, member, person, client):
    fields = {"email": "ada@quintet.test"}
    if case == "without a password":
        person(**fields)
    elif case != "unknown":
        member(**fields, is_disabled=case == "disabled")
    email = "nothing" if case == "no address" else "ada@quintet.test"
    password = "wrong" if case == "wrong" else "correct horse battery"
    answer = client.post("/api/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.json["type"] == "/problems/sign-in-refused"
    assert answer.json["detail"] == (
        "The e-mail address or the password is wrong. Try again, or reset it at /password-reset."
    )
    assert _actions() == ["identity.refuse-sign-in"]


def test_a_body_with_more_or_other_than_expected_is_refused(client):
    for body in ({}, {"email": 1, "password": "x"}, {"email": "a", "password": "b", "role": "x"}):
        assert client.post("/api/auth/login", json=body).status_code == 422
    assert client.post("/api/auth/login", data="{").status_code in {400, 415}


def _sign(app, key, header=None, **changes):
    """Return an access token as the application makes it, but for the changes; `None` removes."""
    now = datetime.now(UTC)
    claims = {
        "sub": changes.pop("user"),
        "aud": "quintet",
        "iss": app.config["JWT_ENCODE_ISSUER"],
        "type": "access",
        "jti": str(uuid4()),
        "sid": str(uuid4()),
        "signed_in_at": int(now.timestamp() * 1_000_000),
        "iat": now,
        "nbf": now,
        "exp": now + timedelta(minutes=5),
    } | changes
    kid = keys.read_keys(app.extensions["settings"]).kid
    header = {"kid": kid} | (header or {})
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, "EdDSA", headers=header)


PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
WRONG_CLAIMS = {
    "issuer": {"iss": "https://elsewhere.test"},
    "no issuer": {"iss": None},
    "audience": {"aud": "other"},
    "no audience": {"aud": None},
    "type": {"type": "refresh"},
    "expired": {"exp": PAST},
    "not yet valid": {"nbf": FUTURE},
    "issued in the future": {"iat": FUTURE},
    "subject is no id": {"sub": "staff"},
    "no subject": {"sub": None},
    "no id": {"jti": None},
    "no session": {"sid": None},
    "no time of sign-in": {"signed_in_at": None},
    "somebody unknown": {"sub": str(uuid4())},
}


def test_a_token_signed_like_ours_holds(app, person, client, bearer):
    key = keys.read_keys(app.extensions["settings"]).signing
    token = _sign(app, key, user=str(person().id))
    assert client.get("/api/auth/me", headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("case", WRONG_CLAIMS)
def test_a_token_with_a_wrong_claim_is_refused(case, app, person, client, bearer):
    key = keys.read_keys(app.extensions["settings"]).signing
    token = _sign(app, key, user=str(person().id), **WRONG_CLAIMS[case])
    answer = client.get("/api/auth/me", headers=bearer(token))
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def _part(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_a_token_without_a_signature_or_with_another_algorithm_is_refused(
    app, person, client, bearer
):
    known = keys.read_keys(app.extensions["settings"])
    token = _sign(app, known.signing, user=str(person().id))
    claims = jwt.decode(token, options={"verify_signature": False})
    unsigned = f"{_part({'alg': 'none', 'kid': known.kid})}.{_part(claims)}."
    public = known.accepted[known.kid].public_bytes_raw()
    symmetric = jwt.encode(claims, public.ljust(64, b"."), "HS512", headers={"kid": known.kid})
    odd = [
        f"{_part(header)}.{_part(claims)}.AAAA"
        for header in ({"alg": ["EdDSA"]}, {"alg": "EdDSA", "kid": {}}, {"alg": None}, [], 1)
    ]
    odd += [f"{_part({'alg': 'EdDSA', 'kid': known.kid})}.{_part(each)}.AAAA" for each in ([], 1)]
    for forged in (unsigned, symmetric, token[:-8], "x", "x.y.z", f"{token}.x", *odd):
        assert client.get("/api/auth/me", headers=bearer(forged)).status_code == 401


def test_a_token_that_brings_or_names_its_own_key_is_refused(app, person, client, bearer):
    known = keys.read_keys(app.extensions["settings"])
    user = str(person().id)
    for name in ("jku", "jwk", "x5u", "x5c"):
        token = _sign(app, known.signing, {name: "https://elsewhere.test/keys"}, user=user)
        assert client.get("/api/auth/me", headers=bearer(token)).status_code == 401
    own = Ed25519PrivateKey.generate()
    for header in ({}, {"kid": "other"}):
        token = _sign(app, own, header, user=user)
        assert client.get("/api/auth/me", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer a b", "Basic YTpi", "bearer", "Bearer \xff"]
)
def test_a_malformed_header_is_refused(header, client):
    answer = client.get("/api/auth/me", headers={"Authorization": header})
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")


def test_a_refresh_token_is_no_access_token_nor_the_other_way_round(
    member, sign_in, client, bearer
):
    pair = sign_in(member()).json["data"]
    answer = client.get("/api/auth/me", headers=bearer(pair["refresh_token"]))
    assert answer.status_code == 401
    body = {"refresh_token": pair["access_token"]}
    assert client.post("/api/auth/refresh", json=body).status_code == 401


def test_a_right_that_was_taken_away_and_a_disabled_person_end_at_once(
    member, sign_in, client, bearer
):
    user = member("underwriter")
    pair = sign_in(user).json["data"]
    headers = bearer(pair["access_token"])
    people.change_roles(user_id=user.id, roles=[], actor_id=None)
    assert client.get("/api/auth/me", headers=headers).json["data"]["roles"] == []
    people.disable(user_id=user.id, actor_id=None)
    assert client.get("/api/auth/me", headers=headers).status_code == 401
    body = {"refresh_token": pair["refresh_token"]}
    assert client.post("/api/auth/refresh", json=body).status_code == 401


def test_ended_sessions_stay_ended_through_rotation_and_a_new_sign_in_holds(
    member, sign_in, client, bearer
):
    user = member()
    first = sign_in(user).json["data"]
    second = client.post("/api/auth/refresh", json={"refresh_token": first["refresh_token"]}).json[
        "data"
    ]
    people.end_sessions(user_id=user.id, actor_id=None)
    for pair in (first, second):
        headers = bearer(pair["access_token"])
        assert client.get("/api/auth/me", headers=headers).status_code == 401
    body = {"refresh_token": second["refresh_token"]}
    assert client.post("/api/auth/refresh", json=body).status_code == 401
    again = bearer(sign_in(user).json["data"]["access_token"])
    assert client.get("/api/auth/me", headers=again).status_code == 200


def test_a_refresh_token_gives_another_pair_of_the_same_sign_in(member, sign_in, client):
    first = sign_in(member()).json["data"]
    body = {"refresh_token": first["refresh_token"]}
    second = client.post("/api/auth/refresh", json=body).json["data"]
    before, after = (
        jwt.decode(pair["refresh_token"], options={"verify_signature": False})
        for pair in (first, second)
    )
    for claim in ("sub", "sid", "signed_in_at"):
        assert before[claim] == after[claim]
    assert before["jti"] != after["jti"]
    assert after["exp"] - after["iat"] == 14 * 24 * 3600


def test_a_used_refresh_token_ends_its_whole_family_and_is_audited(member, sign_in, client, bearer):
    user = member()
    first = sign_in(user).json["data"]
    other = sign_in(user).json["data"]
    body = {"refresh_token": first["refresh_token"]}
    second = client.post("/api/auth/refresh", json=body).json["data"]
    reused = client.post("/api/auth/refresh", json=body)
    assert (reused.status_code, reused.json["type"]) == (401, "/problems/refresh-refused")
    for pair in (first, second):
        headers = bearer(pair["access_token"])
        assert client.get("/api/auth/me", headers=headers).status_code == 401
    body = {"refresh_token": second["refresh_token"]}
    assert client.post("/api/auth/refresh", json=body).status_code == 401
    headers = bearer(other["access_token"])
    assert client.get("/api/auth/me", headers=headers).status_code == 200
    assert _actions()[-1] == "identity.refuse-reused-token"


def test_of_two_refreshes_at_once_one_succeeds_and_ends_with_the_other(
    real_database, member, sign_in
):
    token = sign_in(member()).json["data"]["refresh_token"]

    def refresh(_):
        with real_database.app_context():
            body = {"refresh_token": token}
            return real_database.test_client().post("/api/auth/refresh", json=body)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(refresh, range(4)))
    assert sorted(each.status_code for each in answers) == [200, 401, 401, 401]
    won = next(each for each in answers if each.status_code == 200).json["data"]
    body = {"refresh_token": won["refresh_token"]}
    assert real_database.test_client().post("/api/auth/refresh", json=body).status_code == 401


def test_only_a_hash_of_the_refresh_token_is_kept(member, sign_in):
    user = member()
    token = sign_in(user).json["data"]["refresh_token"]
    kept = db.session.scalars(select(RefreshToken)).one()
    assert kept.user_id == user.id
    assert len(kept.token_hash) == 32
    assert token.encode() not in kept.token_hash


def test_signing_out_ends_access_and_refresh_token(member, sign_in, client, bearer):
    pair = sign_in(member()).json["data"]
    body = {"refresh_token": pair["refresh_token"]}
    assert client.post("/api/auth/logout", json=body).status_code == 204
    assert client.get("/api/auth/me", headers=bearer(pair["access_token"])).status_code == 401
    assert client.post("/api/auth/refresh", json=body).status_code == 401
    assert _actions() == ["identity.sign-in", "identity.sign-out"]


def test_what_was_revoked_is_forgotten_when_it_has_expired(member, sign_in, client):
    db.session.add(Revocation(id=uuid4(), expires_at=PAST))
    db.session.commit()
    body = {"refresh_token": sign_in(member()).json["data"]["refresh_token"]}
    client.post("/api/auth/logout", json=body)
    assert [each.expires_at > PAST for each in db.session.scalars(select(Revocation))] == [True]
