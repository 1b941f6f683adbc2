import base64
import re
from dataclasses import replace

import pytest

PATH = "/api/samples"


def test_every_flipped_bit_of_a_cursor_is_noticed(get):
    parameters = {"sort": "-name,amount", "limit": 2, "fields": "id"}
    cursor = get(PATH, parameters).json["page"]["next"]
    assert get(PATH, parameters | {"cursor": cursor}).status_code == 200
    ends = {0, cursor.index(".") - 1, cursor.index("."), cursor.index(".") + 1, len(cursor) - 1}
    for at, letter in enumerate(cursor):
        for bit in range(7) if at in ends else (at % 7,):
            changed = cursor[:at] + chr(ord(letter) ^ 1 << bit) + cursor[at + 1 :]
            response = get(PATH, parameters | {"cursor": changed})
            assert response.status_code == 400, changed
            assert response.json["errors"][0]["code"] == "invalid_cursor"


@pytest.mark.parametrize("text", ["", ".", "a.b", "ä.ö", "e30.e30", "x" * 3000, "=.=", "a" * 5])
def test_what_was_never_a_cursor_is_refused(get, text):
    assert get(PATH, {"cursor": text}).json["errors"][0]["code"] == "invalid_cursor"


def test_a_cursor_cut_anywhere_or_sewn_together_from_two_is_refused(get):
    one, two = (
        get(PATH, {"sort": sort, "limit": 2}).json["page"]["next"] for sort in ("name", "-name")
    )
    payload, _, signature = one.partition(".")
    for text in (
        one[:-1],
        one[1:],
        one + "A",
        one + "=",
        payload,
        f"{two.split('.')[0]}.{signature}",
    ):
        response = get(PATH, {"sort": "name", "limit": 2, "cursor": text})
        assert response.json["errors"][0]["code"] == "invalid_cursor", text


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"amount[gte]": "2"}, "filter"),
        ({"sort": "name"}, "sort"),
        ({"amount[gt]": "1", "amount[gte]": "1"}, "filter"),
        ({"sort": "-name:nullsfirst"}, "sort"),
        ({"sort": "-name,label"}, "sort"),
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


def test_a_cursor_is_bound_to_the_zone_of_its_days(get):
    parameters = {"seen_at[gte]": "2024-01-01", "tz": "Europe/Berlin", "limit": 2}
    cursor = get(PATH, parameters).json["page"]["next"]
    assert get(PATH, parameters | {"cursor": cursor}).status_code == 200
    response = get(PATH, parameters | {"tz": "Europe/Lisbon", "cursor": cursor})
    (entry,) = response.json["errors"]
    assert (response.status_code, entry["code"]) == (400, "cursor_mismatch")
    assert "tz" in entry["detail"]


def test_a_cursor_of_one_collection_is_none_of_another(shelf, get):
    cursor = shelf.answer({"limit": 1, "sort": shelf.key})["page"]["next"]
    assert shelf.get({"limit": 1, "sort": shelf.key, "cursor": cursor}).status_code == 200
    for path in {"/api/samples", "/api/sample-groups"} - {shelf.path}:
        response = get(path, {"limit": 1, "sort": "id", "cursor": cursor})
        (entry,) = response.json["errors"]
        assert (response.status_code, entry["code"]) == (400, "cursor_mismatch")
        assert "collection" in entry["detail"]


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
