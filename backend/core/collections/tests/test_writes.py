import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATH = "/api/notes"


@pytest.fixture
def caller(request):
    """A caller of the test's own, by the header that the tests' collection reads."""
    return {"X-Caller": request.node.name[:60]}


@pytest.fixture
def new(client, caller):
    def create(title="one", **members):
        return client.post(PATH, json={"title": title} | members, headers=caller)

    return create


def test_a_record_is_made_and_found_at_its_location(client, caller, new):
    response = new(amount="12.5")
    assert response.status_code == 201
    record = response.json["data"]
    assert record == {"id": record["id"], "title": "one", "amount": "12.50", "version": 1}
    assert response.headers["Location"] == f"{PATH}/{record['id']}"
    assert response.headers["ETag"] == '"1"'
    assert client.get(response.headers["Location"], headers=caller).json["data"] == record


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"/title": "missing"}),
        ({"title": None}, {"/title": "null"}),
        ({"title": 5}, {"/title": "invalid_value"}),
        ({"title": "x" * 81}, {"/title": "too_long"}),
        ({"titel": "x"}, {"/titel": "unknown_member", "/title": "missing"}),
        ({"title": "x", "id": 5, "version": 2}, {"/id": "read_only", "/version": "read_only"}),
        ({"title": "x", "owner": "ben"}, {"/owner": "unknown_member"}),
        ({"title": "x", "amount": "1e3"}, {"/amount": "invalid_value"}),
        ({"title": "x", "amount": "1.239"}, {"/amount": "out_of_range"}),
        ({"title": "x", "amount": True}, {"/amount": "invalid_value"}),
        ([], {"": "invalid_type"}),
    ],
)
def test_every_mistake_in_a_body_is_pointed_at(client, caller, body, errors):
    response = client.post(PATH, json=body, headers=caller)
    assert response.status_code == 422
    assert {e["pointer"]: e["code"] for e in response.json["errors"]} == errors


def test_a_number_of_json_never_becomes_a_float(client, caller):
    text = '{"title": "exact", "amount": 9999999999.99}'
    kind = "application/json"
    response = client.post(PATH, data=text, content_type=kind, headers=caller)
    assert response.json["data"]["amount"] == "9999999999.99"


def test_a_change_names_the_version_that_was_seen(client, caller, new):
    address = new().headers["Location"]
    assert client.patch(address, json={"title": "b"}, headers=caller).status_code == 428
    for stale in ('"7"', 'W/"1"', '"x"'):
        response = client.patch(address, json={"title": "b"}, headers=caller | {"If-Match": stale})
        assert (response.status_code, response.json["version"]) == (412, 1)
    changed = client.patch(address, json={"title": "b"}, headers=caller | {"If-Match": '"1"'})
    assert changed.status_code == 200
    assert changed.json["data"]["version"] == 2
    assert changed.headers["ETag"] == '"2"'
    anyway = client.patch(address, json={"amount": None}, headers=caller | {"If-Match": "*"})
    assert anyway.json["data"]["version"] == 3


def test_a_record_is_answered_304_while_its_version_holds(client, caller, new):
    address = new().headers["Location"]
    known = caller | {"If-None-Match": '"1"'}
    assert client.get(address, headers=known).status_code == 304
    client.patch(address, json={"title": "b"}, headers=caller | {"If-Match": '"1"'})
    assert client.get(address, headers=known).status_code == 200


def test_of_racing_changes_one_wins(client, caller, new, library):
    address = new().headers["Location"]
    start, statuses = threading.Barrier(6), []

    def change(number):
        start.wait()
        own = library.test_client()
        headers = caller | {"If-Match": '"1"'}
        response = own.patch(address, json={"title": f"racer {number}"}, headers=headers)
        statuses.append(response.status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(statuses) == [200] + [412] * 5


def test_deleting_hides_and_restoring_brings_back_all_but_the_version(client, caller, new):
    made = new(amount="3")
    address, record = made.headers["Location"], made.json["data"]
    response = client.delete(address, headers=caller)
    assert (response.status_code, response.data) == (204, b"")
    assert client.get(address, headers=caller).status_code == 404
    assert client.delete(address, headers=caller).status_code == 404
    assert client.get(PATH, headers=caller).json["data"] == []
    assert client.get(f"{PATH}/aggregates", headers=caller).json["data"][0]["count"] == 0
    back = client.post(f"{address}:restore", headers=caller)
    assert back.json["data"] == record | {"version": 3}
    again = client.post(f"{address}:restore", headers=caller)
    assert again.json["data"]["version"] == 3


def test_deleting_honours_the_version_when_it_is_sent(client, caller, new):
    address = new().headers["Location"]
    assert client.delete(address, headers=caller | {"If-Match": '"2"'}).status_code == 412
    assert client.delete(address, headers=caller | {"If-Match": '"1"'}).status_code == 204


def test_what_is_not_yours_is_as_missing_as_what_never_was(client, caller, new):
    mine = new().headers["Location"]
    stranger = {"X-Caller": "stranger"}
    calls = (
        ("get", "", {}),
        ("patch", "", {"json": {"title": "b"}}),
        ("patch", "", {"json": {"title": "b"}, "headers": {"If-Match": '"1"'}}),
        ("patch", "", {"json": {"nonsense": 1}, "headers": {"If-Match": '"9"'}}),
        ("delete", "", {"headers": {"If-Match": '"9"'}}),
        ("post", ":restore", {}),
    )
    for method, suffix, options in calls:
        headers = stranger | options.get("headers", {})
        answers = []
        for address in (mine, f"{PATH}/99999999"):
            sent = options | {"headers": headers}
            response = getattr(client, method)(address + suffix, **sent)
            body = response.json
            body.pop("instance")
            body["detail"] = body["detail"].replace(address.rpartition("/")[2], "")
            names = set(response.headers.keys())
            answers.append((response.status_code, body, names))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404


def test_the_lists_of_all_owners_are_the_table(client, owner_connection, table):
    for owner in ("union a", "union b"):
        for number in range(3):
            client.post(PATH, json={"title": f"{number}"}, headers={"X-Caller": owner})
    query = table.note.select().where(table.note.c.deleted_at.is_(None))
    rows = owner_connection.execute(query).all()
    found = []
    for owner in {row.owner for row in rows}:
        answer = client.get(f"{PATH}?limit=200", headers={"X-Caller": owner}).json
        found += [row["id"] for row in answer["data"]]
    assert sorted(found) == sorted(row.id for row in rows)


quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@quiet
@given(number=st.integers(1, 12), bad=st.sets(st.integers(0, 11), max_size=3))
def test_a_batch_is_stored_as_a_whole_or_not_at_all(number, bad, client, caller):
    before = client.get(f"{PATH}?limit=1", headers=caller).json["meta"]["count"]
    wrong = sorted(at for at in bad if at < number)
    items = [
        {"title": f"{before}-{at}", "amount": "x" if at in wrong else f"{at}.50"}
        for at in range(number)
    ]
    response = client.post(f"{PATH}:batch", json={"items": items}, headers=caller)
    after = client.get(f"{PATH}?limit=1", headers=caller).json["meta"]["count"]
    if wrong:
        assert response.status_code == 422
        pointers = [entry["pointer"] for entry in response.json["errors"]]
        assert pointers == [f"/items/{at}/amount" for at in wrong]
        assert after == before
    else:
        assert response.status_code == 201
        titles = [row["title"] for row in response.json["data"]]
        assert titles == [item["title"] for item in items]
        assert after == before + number


def test_a_batch_that_breaks_a_constraint_stores_nothing(client, caller, new):
    new("taken")
    items = [{"title": "free"}, {"title": "taken"}]
    response = client.post(f"{PATH}:batch", json={"items": items}, headers=caller)
    assert response.status_code == 409
    assert client.get(PATH, headers=caller).json["meta"]["count"] == 1


@pytest.mark.parametrize("items", [[], [{"title": "x"}] * 101, None, {}])
def test_a_batch_has_between_one_and_a_hundred_items(client, caller, items):
    response = client.post(f"{PATH}:batch", json={"items": items}, headers=caller)
    assert response.status_code == 422


def test_statements_of_a_batch_do_not_read_row_by_row(client, caller, statements):
    items = [{"title": f"{number}"} for number in range(20)]
    client.post(f"{PATH}:batch", json={"items": items}, headers=caller)
    assert len([each for each in statements if each.lstrip().startswith("SELECT")]) == 1


def test_a_body_that_does_not_say_that_it_is_json_is_415(client, caller):
    response = client.post(PATH, data="{}", content_type="text/plain", headers=caller)
    assert response.status_code == 415


def test_parameters_beside_a_body_are_refused(client, caller):
    response = client.post(f"{PATH}?x=1", json={"title": "x"}, headers=caller)
    assert (response.status_code, response.json["errors"][0]["parameter"]) == (400, "x")


def test_a_read_only_collection_takes_no_writes(client):
    assert client.post("/api/samples", json={}).status_code == 405
    assert client.patch("/api/samples/1", json={}).status_code == 405
