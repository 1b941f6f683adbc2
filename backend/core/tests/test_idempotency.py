import threading
import time
from uuid import uuid4

import pytest
from flask import jsonify, make_response, request
from sqlalchemy import text

from backend.core.auth import Identity
from backend.core.auth.current import remember
from backend.core.database import db, transaction
from backend.core.errors import Conflict, DomainError, answer
from backend.core.idempotency import idempotent, sweep

PEOPLE = {
    name: Identity(user_id=uuid4(), email=f"{name}@quintet.test", name=name, roles=frozenset())
    for name in ("ada", "ben")
}


class Shop:
    """A view that takes orders and counts them, and the requests that reach it."""

    def __init__(self, app):
        self.app, self.done, self.gate = app, [], threading.Event()

    def order(self):
        if request.json.get("waits"):
            assert self.gate.wait(10)
        self.done.append(request.json)
        if request.json.get("fails"):
            raise Conflict("Sold out.")
        return jsonify(number=len(self.done)), 201

    def post(self, key, body, person="ada"):
        headers = {"Idempotency-Key": key} if key is not None else {}
        with self.app.test_request_context(
            "/api/orders", method="POST", json=body, headers=headers
        ):
            remember(PEOPLE[person])
            try:
                with transaction():
                    return make_response(idempotent(is_required=True)(self.order)())
            except DomainError as error:
                return answer(error)


@pytest.fixture
def shop(real_database):
    return Shop(real_database)


def test_a_repeated_key_is_answered_alike_and_done_once(shop):
    first, again = shop.post("k", {"n": 1}), shop.post('"k"', {"n": 1})
    assert (first.status_code, first.data) == (again.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert len(shop.done) == 1


def test_a_key_with_another_body_is_refused(shop):
    shop.post("k", {"n": 1})
    assert shop.post("k", {"n": 2}).status_code == 422
    assert len(shop.done) == 1


def test_keys_of_two_people_never_meet(shop):
    assert shop.post("k", {"n": 1}).json == {"number": 1}
    assert shop.post("k", {"n": 2}, person="ben").json == {"number": 2}


def test_a_refusal_is_judged_anew(shop):
    assert shop.post("k", {"fails": True}).status_code == 409
    assert shop.post("k", {"n": 1}).status_code == 201
    assert shop.done == [{"fails": True}, {"n": 1}]


@pytest.mark.parametrize("key", [None, "", '""', "x" * 256, "schlüssel"])
def test_a_missing_or_unreadable_key_is_named(shop, key):
    answer = shop.post(key, {"n": 1})
    assert (answer.status_code, answer.json["errors"][0]["header"]) == (400, "Idempotency-Key")


def test_equal_keys_at_once_do_the_work_once(shop):
    answers = []
    first = threading.Thread(target=lambda: answers.append(shop.post("k", {"waits": True})))
    first.start()
    second = threading.Thread(target=lambda: answers.append(shop.post("k", {"waits": True})))
    second.start()
    while not answers:
        time.sleep(0.01)
    (refused,) = answers
    assert (refused.status_code, refused.headers["Retry-After"]) == (409, "1")
    shop.gate.set()
    first.join()
    second.join()
    assert sorted(each.status_code for each in answers) == [201, 409]
    assert shop.post("k", {"waits": True}).headers["Idempotency-Replayed"] == "true"
    assert len(shop.done) == 1


def test_an_expired_key_may_be_used_again_and_is_swept(shop):
    shop.post("k", {"n": 1})
    db.session.execute(text("update idempotent_answer set expires_at = now() - interval '1 s'"))
    db.session.commit()
    assert shop.post("k", {"n": 2}).json == {"number": 2}
    assert sweep() == 0
    db.session.execute(text("update idempotent_answer set expires_at = now() - interval '1 s'"))
    assert sweep() == 1
