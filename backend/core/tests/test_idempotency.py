import threading
from uuid import uuid4

import pytest
from flask import jsonify, request
from sqlalchemy import text

from backend.core import auth, database
from backend.core.database import db
from backend.core.errors import Conflict
from backend.core.idempotency import idempotent


@pytest.fixture
def shop(real_database, monkeypatch):
    """Return an application with a view that counts how often it did its work."""
    app, done, gate = real_database, [], threading.Event()
    people = {name: auth.Identity(user_id=uuid4(), email=f"{name}@quintet.test", roles=frozenset()) for name in "ab"}

    def order():
        if request.json.get("fails"):
            done.append("failed")
            raise Conflict("Sold out.")
        if request.json.get("waits"):
            gate.wait(5)
        done.append(request.json)
        db.session.execute(text("select 1"))
        return jsonify(number=len(done)), 201

    def view():
        auth.assume(people[request.headers["Person"]])
        return idempotent(is_required=True)(order)()

    app.add_url_rule("/api/orders", "orders", database.guarded(view), methods=["POST"])
    app.done, app.gate = done, gate
    return app


def post(shop, key, body, person="a"):
    headers = {"Person": person} | ({"Idempotency-Key": key} if key else {})
    return shop.test_client().post("/api/orders", json=body, headers=headers)


def test_a_repeated_key_is_answered_alike_and_done_once(shop):
    first, again = post(shop, "k", {"n": 1}), post(shop, '"k"', {"n": 1})
    assert (first.status_code, first.data) == (again.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert len(shop.done) == 1


def test_a_key_with_another_body_is_refused(shop):
    post(shop, "k", {"n": 1})
    assert post(shop, "k", {"n": 2}).status_code == 422
    assert len(shop.done) == 1


def test_keys_of_two_people_never_meet(shop):
    assert post(shop, "k", {"n": 1}).json == {"number": 1}
    assert post(shop, "k", {"n": 2}, person="b").json == {"number": 2}


def test_a_refusal_is_judged_anew(shop):
    assert post(shop, "k", {"fails": True}).status_code == 409
    assert post(shop, "k", {"n": 1}).status_code == 201
    assert shop.done == ["failed", {"n": 1}]


@pytest.mark.parametrize("key", [None, "", '""', "x" * 256, "schlüssel"])
def test_a_missing_or_unreadable_key_is_named(shop, key):
    answer = post(shop, key, {"n": 1})
    assert (answer.status_code, answer.json["errors"][0]["header"]) == (400, "Idempotency-Key")


def test_equal_keys_at_once_do_the_work_once(shop):
    answers = []
    running = threading.Thread(target=lambda: answers.append(post(shop, "k", {"waits": True})))
    running.start()
    second = post(shop, "k", {"waits": True})
    for _ in range(100):
        if second.status_code == 409:
            break
        second = post(shop, "k", {"waits": True})
    shop.gate.set()
    running.join()
    assert (second.status_code, second.headers["Retry-After"]) == (409, "1")
    assert answers[0].status_code == 201
    assert post(shop, "k", {"waits": True}).headers["Idempotency-Replayed"] == "true"
    assert len(shop.done) == 1
