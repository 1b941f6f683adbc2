import base64
import re
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.collections import Collection, Limits, read

PATH = "/api/samples"
quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@st.composite
def orders(draw, collection):
    names = [each.name for each in collection.columns.values() if collection.can_sort(each)]
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    signs = [draw(st.sampled_from(("", "-"))) for _ in chosen]
    places = [draw(st.sampled_from(("", ":nullsfirst"))) for _ in chosen]
    return ",".join(map("".join, zip(signs, chosen, places, strict=True)))


def in_order(rows, sort):
    """Sort as the words say, in Python."""
    found = sorted(rows, key=lambda row: row["id"])
    for word in reversed(sort.split(",")):
        name = word.removeprefix("-").partition(":")[0]
        present = [row for row in found if row[name] is not None]
        absent = [row for row in found if row[name] is None]
        present.sort(key=lambda row, name=name: row[name], reverse=word.startswith("-"))
        found = absent + present if word.endswith(":nullsfirst") else present + absent
    return [row["id"] for row in found]


def walk(get, parameters, *, is_back=False, cursor=None):
    """Follow the cursors to one end, and return the pages in reading order."""
    pages, seen = [], set()
    while True:
        pairs = {**parameters, **({"cursor": cursor} if cursor else {})}
        answer = get(PATH, pairs).json
        pages.append([row["id"] for row in answer["data"]])
        assert answer["page"]["has_more"] == (answer["page"]["next"] is not None)
        cursor = answer["page"]["prev" if is_back else "next"]
        if cursor is None:
            return pages[::-1] if is_back else pages, answer
        assert cursor not in seen
        seen.add(cursor)


@quiet
@given(data=st.data())
def test_walking_the_cursors_either_way_is_the_full_sort(data, declared, rows, get):
    sort = data.draw(orders(declared.samples))
    size = data.draw(st.sampled_from((3, 7, 20, len(rows) - 1, len(rows), len(rows) + 1)))
    parameters = {"sort": sort, "limit": size, "fields": "id", "count": "none"}
    expected = in_order(rows, sort)
    forward, last = walk(get, parameters)
    assert list(chain(*forward)) == expected
    back, _ = walk(get, parameters, is_back=True, cursor=last["page"]["prev"])
    assert list(chain(*back)) + (forward[-1] if last["page"]["prev"] else []) == (
        expected if last["page"]["prev"] else forward[-1]
    )


@quiet
@given(data=st.data())
def test_numbered_pages_hold_the_same_rows(data, declared, rows, get):
    sort, size = data.draw(orders(declared.samples)), data.draw(st.integers(9, 71))
    found = []
    for number in range(1, -(-len(rows) // size) + 2):
        answer = get(PATH, {"sort": sort, "limit": size, "page": number}).json
        found += [row["id"] for row in answer["data"]]
        assert answer["page"]["has_more"] == (number * size < len(rows))
        assert answer["page"]["pages"] == -(-len(rows) // size)
    assert found == in_order(rows, sort)


def test_no_surviving_row_is_lost_or_repeated_when_others_come_and_go(get, owner_connection, table):
    parameters = {"sort": "name:nullsfirst,-day", "limit": 5, "fields": "id", "count": "none"}
    before = list(chain(*walk(get, parameters)[0]))
    found, cursor, gone = [], None, []
    template = {"label": "x", "kind": "beta", "amount": 1, "day": "2024-01-01", "currency": "EUR"}
    try:
        for number in range(100):
            pairs = {**parameters, **({"cursor": cursor} if cursor else {})}
            answer = get(PATH, pairs).json
            found += [row["id"] for row in answer["data"]]
            cursor = answer["page"]["next"]
            if cursor is None:
                break
            # The edge row itself goes, which a position by row would not survive.
            victim = found[-1]
            with owner_connection.begin():
                query = table.sample.delete().where(table.sample.c.id == victim)
                (row,) = owner_connection.execute(query.returning(*table.sample.c)).all()
                gone.append(row._asdict())
                new = template | {"id": 1000 + number, "name": chr(97 + number % 26)}
                owner_connection.execute(table.sample.insert(), [new])
    finally:
        with owner_connection.begin():
            owner_connection.execute(table.sample.delete().where(table.sample.c.id >= 1000))
            native = [row for row in gone if row["id"] < 1000]
            owner_connection.execute(table.sample.insert(), native)
    assert len(found) == len(set(found))
    assert [each for each in found if each < 1000] == before


def test_going_back_to_where_everything_was_deleted_leads_to_the_beginning(
    get, owner_connection, table
):
    parameters = {"sort": "id", "limit": 3, "fields": "id"}
    second = get(PATH, parameters | {"cursor": get(PATH, parameters).json["page"]["next"]}).json
    first_three = table.sample.c.id <= 3
    with owner_connection.begin():
        query = table.sample.delete().where(first_three).returning(*table.sample.c)
        rows = [row._asdict() for row in owner_connection.execute(query)]
    try:
        empty = get(PATH, parameters | {"cursor": second["page"]["prev"]}).json
        again = get(PATH, parameters | {"cursor": empty["page"]["next"]}).json
    finally:
        with owner_connection.begin():
            owner_connection.execute(table.sample.insert(), rows)
    assert empty["data"] == []
    assert empty["page"]["prev"] is None
    assert again["data"] == second["data"]


def test_every_flipped_bit_of_a_cursor_is_noticed(get):
    parameters = {"sort": "-name,amount", "limit": 2, "fields": "id"}
    cursor = get(PATH, parameters).json["page"]["next"]
    for at, letter in enumerate(cursor):
        for bit in (1, 2, 4, 16):
            changed = cursor[:at] + chr(ord(letter) ^ bit) + cursor[at + 1 :]
            response = get(PATH, parameters | {"cursor": changed})
            assert response.status_code == 400
            assert response.json["errors"][0]["code"] == "invalid_cursor"


@pytest.mark.parametrize("text", ["", ".", "a.b", "ä.ö", "e30.e30", "x" * 3000, "=.=", "a" * 5])
def test_what_was_never_a_cursor_is_refused(get, text):
    assert get(PATH, {"cursor": text}).json["errors"][0]["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"amount[gte]": "2"}, "filter"),
        ({"sort": "name"}, "sort"),
        ({"seen_at[gte]": "2024-01-01", "tz": "Europe/Berlin"}, "filter"),
    ],
)
def test_a_cursor_is_bound_to_filter_sort_and_zone(get, change, word):
    parameters = {"amount[gte]": "1", "sort": "-name", "limit": 2}
    cursor = get(PATH, parameters).json["page"]["next"]
    response = get(PATH, parameters | change | {"cursor": cursor})
    (entry,) = response.json["errors"]
    assert (response.status_code, entry["code"]) == (400, "cursor_mismatch")
    assert word in entry["detail"]


def test_a_cursor_is_bound_to_the_caller_and_to_the_collection(client, get, declared):
    title = "/api/notes"
    for caller in ("ada", "ben"):
        for number in range(3):
            body = {"title": f"cursor {number}", "amount": "1"}
            client.post(title, json=body, headers={"X-Caller": caller})
    mine = client.get(f"{title}?limit=1", headers={"X-Caller": "ada"}).json["page"]["next"]
    other = client.get(f"{title}?limit=1&cursor={mine}", headers={"X-Caller": "ben"})
    assert other.json["errors"][0]["code"] == "cursor_mismatch"
    assert "caller" in other.json["errors"][0]["detail"]
    elsewhere = client.get(f"/api/samples?limit=1&sort=id&cursor={mine}")
    assert elsewhere.json["errors"][0]["code"] == "cursor_mismatch"


def test_fields_limit_and_count_may_change_under_a_cursor(get):
    parameters = {"sort": "id", "limit": 2}
    cursor = get(PATH, parameters).json["page"]["next"]
    changed = {"sort": "id", "limit": 5, "fields": "id", "count": "exact", "cursor": cursor}
    assert [row["id"] for row in get(PATH, changed).json["data"]] == [3, 4, 5, 6, 7]


def test_a_cursor_of_the_previous_key_is_still_read(get, library, monkeypatch):
    cursor = get(PATH, {"limit": 2}).json["page"]["next"]
    before = library.extensions["settings"]
    rotated = replace(before, secret_key="new", secret_key_previous=before.secret_key)
    monkeypatch.setitem(library.extensions, "settings", rotated)
    assert get(PATH, {"limit": 2, "cursor": cursor}).status_code == 200
    monkeypatch.setitem(library.extensions, "settings", replace(rotated, secret_key_previous=""))
    assert get(PATH, {"limit": 2, "cursor": cursor}).status_code == 400


def test_a_cursor_is_short_and_keeps_its_content_to_itself_only_by_signature(get):
    cursor = get(PATH, {"limit": 2, "sort": "-amount,label"}).json["page"]["next"]
    payload, signature = cursor.split(".")
    assert len(cursor) < 300
    assert len(base64.urlsafe_b64decode(signature + "=")) == 32
    assert re.fullmatch(r"[A-Za-z0-9_-]+", payload)


def test_the_worst_cursor_fits_a_request_line(get, owner_connection, table):
    wide = "\U0001f600" * 80
    row = {"id": 5000, "name": wide, "label": wide, "kind": "alpha", "amount": 1}
    with owner_connection.begin():
        query = table.sample.insert()
        owner_connection.execute(query, [row | {"day": "2025-01-01", "currency": "EUR"}])
    try:
        parameters = {"sort": "-name,-label,kind,-day,amount", "limit": 1}
        cursor = get(PATH, parameters).json["page"]["next"]
        assert len(cursor) < 2300
        assert get(PATH, parameters | {"cursor": cursor}).status_code == 200
    finally:
        with owner_connection.begin():
            owner_connection.execute(table.sample.delete().where(table.sample.c.id == 5000))


def test_links_lead_to_the_pages_beside_whatever_host_is_claimed(client):
    response = client.get(
        f"{PATH}?amount[gte]=1&sort=-amount&limit=2", headers={"Host": "evil.example"}
    )
    found = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', response.headers["Link"]))
    targets = {rel: target for target, rel in found.items()}
    assert set(targets) == {"next", "first"}
    assert all(target.startswith("/api/samples?amount%5Bgte%5D=1&") for target in found)
    second = client.get(targets["next"])
    assert second.json["page"]["prev"] is not None
    assert client.get(targets["first"]).data == response.data


def test_links_of_numbered_pages_count(client):
    response = client.get(f"{PATH}?limit=30&page=2")
    found = dict(re.findall(r'<[^>]*page=(\d+)>; rel="(\w+)"', response.headers["Link"]))
    assert found == {"3": "next", "1": "prev"} | found
    assert 'page=1>; rel="first"' in response.headers["Link"]
    assert 'page=3>; rel="last"' in response.headers["Link"]


def test_a_limit_that_is_too_large_is_lowered_and_said(get):
    meta = get(PATH, {"limit": "100000"}).json["meta"]
    assert meta["applied"]["limit"] == 200
    assert meta["notices"][0]["code"] == "lowered"


@pytest.mark.parametrize(("count", "kind"), [("exact", "exact"), ("none", "none"), ("", "exact")])
def test_the_kind_of_count_is_told(get, rows, count, kind):
    meta = get(PATH, {"count": count} if count else {}).json["meta"]
    assert meta["count_kind"] == kind
    assert meta["count"] == (None if kind == "none" else len(rows))


def test_counting_stops_at_the_cap(get, rows, declared, library):
    with library.test_request_context():
        small = Collection(
            "few",
            model=declared.samples.table,
            columns=[each.declared for each in declared.samples.columns.values()],
            limits=Limits(counted=10),
        )
        page = read(small)
    assert (page.count, page.count_kind) == (10, "at_least")


def test_an_estimate_is_the_planners(get, rows):
    meta = get(PATH, {"count": "estimate"}).json["meta"]
    assert meta["count_kind"] == "estimate"
    assert meta["count"] > 0


def test_a_page_past_the_end_is_empty_and_a_very_deep_one_is_refused(get):
    assert get(PATH, {"page": 400}).json["data"] == []
    entry = get(PATH, {"page": 501}).json["errors"][0]
    assert entry["code"] == "page_too_deep"


def test_fields_and_includes_shape_the_rows(get, rows):
    response = get(PATH, {"fields": "amount,id,group.title", "include": "group", "sort": "id"})
    first, row = response.json["data"][0], rows[0]
    assert list(first) == ["id", "amount", "group"]
    title = {"title": f"group {row['group_id']}"} if row["group_id"] else None
    assert first["group"] == title


def test_statements_do_not_grow_with_the_rows(get, statements):
    for limit in (1, 60):
        get(PATH, {"limit": limit, "include": "group"})
    first, second = statements  # Rows, revision and count come at once.
    assert first == second
