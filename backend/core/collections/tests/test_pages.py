import random
import re
from datetime import date, timedelta
from functools import partial
from itertools import chain, count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.collections import Collection, Limits, read
from backend.core.collections.tests.meaning import (
    conditions,
    in_order,
    orders,
    parameter,
    passing,
)

PATH = "/api/samples"
EARLY = date(2023, 12, 1)
quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def walk(ask, parameters, *, is_back=False, cursor=None, between=lambda keys: None):
    """Follow the cursors to one end, and return the pages in reading order."""
    pages, seen = [], set()
    while True:
        answer = ask({**parameters, **({"cursor": cursor} if cursor else {})})
        keys = [next(iter(row.values())) for row in answer["data"]]
        pages.append(keys)
        assert answer["page"]["has_more"] == (answer["page"]["next"] is not None)
        cursor = answer["page"]["prev" if is_back else "next"]
        if cursor is None:
            return pages[::-1] if is_back else pages, answer
        assert cursor not in seen
        seen.add(cursor)
        between(keys)


@quiet
@given(data=st.data())
def test_walking_the_cursors_either_way_is_the_full_sort(data, shelf):
    sort, number = data.draw(orders(shelf.collection)), len(shelf.rows)
    chosen = data.draw(st.just([]) | conditions(shelf.collection, shelf.rows, most=1))
    rows = passing(shelf.rows, chosen)
    small = (1, 2) if len(rows) < 25 else ()
    size = data.draw(st.sampled_from((*small, 7, 19, max(3, len(rows)), number + 1)))
    parameters = {"sort": sort, "limit": size, "fields": shelf.key, "count": "none"}
    parameters |= dict(parameter(*each) for each in chosen)
    expected = shelf.keys_of(in_order(rows, sort, shelf.key))
    forward, last = walk(shelf.answer, parameters)
    assert list(chain(*forward)) == expected
    assert all(len(page) == size for page in forward[:-1])
    if last["page"]["prev"]:
        back, _ = walk(shelf.answer, parameters, is_back=True, cursor=last["page"]["prev"])
        assert list(chain(*back)) + forward[-1] == expected


@quiet
@given(data=st.data())
def test_numbered_pages_hold_the_same_rows_and_files_as_many(data, shelf):
    sort, size = data.draw(orders(shelf.collection)), data.draw(st.integers(9, 71))
    chosen = data.draw(conditions(shelf.collection, shelf.rows, most=1))
    asked = {"sort": sort, **dict(parameter(*each) for each in chosen)}
    expected = shelf.keys_of(in_order(passing(shelf.rows, chosen), sort, shelf.key))
    pages, found = -(-len(expected) // size), []
    for number in range(1, pages + 2):
        answer = shelf.answer({**asked, "limit": size, "page": number, "count": "exact"})
        found += [row[shelf.key] for row in answer["data"]]
        assert answer["page"]["has_more"] == (number * size < len(expected))
        assert answer["page"]["pages"] == pages
        assert (answer["meta"]["count"], answer["meta"]["count_kind"]) == (len(expected), "exact")
    assert found == expected
    lines = shelf.get({**asked, "fields": shelf.key, "format": "ndjson"}).text.splitlines()
    assert len(lines) == len(expected)


class Comings:
    """Rows of the tests' table that come and go while somebody turns pages; all is undone."""

    def __init__(self, connection, table, seed):
        self.connection, self.table, self.pick = connection, table, random.Random(seed)
        self.gone, self.come = [], count(1000)

    def __call__(self, keys):
        """Delete the rows at both edges, which a position by row would not survive, and more."""
        victims = {keys[0], keys[-1]} | {self.pick.randint(1, 70) for _ in range(2)}
        row = {"label": "x", "kind": "beta", "amount": 1, "currency": "EUR"}
        row |= {"id": next(self.come), "day": EARLY + timedelta(days=self.pick.randint(0, 150))}
        row["name"] = self.pick.choice((None, "", "a", "Ñ", "日"))
        with self.connection.begin():
            doomed = self.table.delete().where(self.table.c.id.in_(victims))
            found = self.connection.execute(doomed.returning(*self.table.c))
            self.gone += [each._asdict() for each in found]
            if row["id"] < 1030:  # Else the walk might never end.
                self.connection.execute(self.table.insert(), [row])

    def undo(self):
        rows = [row for row in self.gone if row["id"] < 1000]
        with self.connection.begin():
            self.connection.execute(self.table.delete().where(self.table.c.id >= 1000))
            if rows:
                self.connection.execute(self.table.insert(), rows)


@pytest.fixture
def comings(owner_connection, table):
    return partial(Comings, owner_connection, table.sample)


@settings(quiet, max_examples=20)
@given(data=st.data())
def test_no_surviving_row_is_lost_or_repeated_when_others_come_and_go(
    data, declared, rows, get, comings
):
    sort, size = data.draw(orders(declared.samples)), data.draw(st.integers(1, 9))
    is_back, others = data.draw(st.booleans()), comings(data.draw(st.integers(0, 99)))
    parameters = {"sort": sort, "limit": size, "fields": "id", "count": "none"}
    ends = {"sort": sort, "limit": 3, "page": 23, "fields": "id"}
    start = get(PATH, ends).json["page"]["prev"] if is_back else None
    try:
        asked = partial(answer_of, get)
        pages, _ = walk(asked, parameters, is_back=is_back, cursor=start, between=others)
    finally:
        others.undo()
    found, gone = list(chain(*pages)), {row["id"] for row in others.gone}
    assert len(found) == len(set(found))
    expected = [row["id"] for row in in_order(rows, sort)][: 66 if is_back else None]
    surviving = [key for key in expected if key not in gone]
    assert [key for key in found if key < 1000 and key not in gone] == surviving


def answer_of(get, parameters):
    return get(PATH, parameters).json


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


@pytest.mark.parametrize(
    ("cap", "told"),
    [(10, (10, "at_least")), (69, (69, "at_least")), (70, (70, "exact")), (71, (70, "exact"))],
)
def test_counting_stops_at_the_cap(cap, told, declared, library):
    with library.test_request_context():
        small = Collection(
            "few",
            model=declared.samples.table,
            columns=[each.declared for each in declared.samples.columns.values()],
            limits=Limits(counted=cap),
        )
        page = read(small)
    assert (page.count, page.count_kind) == told


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
