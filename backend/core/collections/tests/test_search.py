import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATH = "/api/samples:search"
quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
LEAVES = (
    ("name", "eq", "a", lambda v: v == "a"),
    ("name", "ne", "a", lambda v: v != "a"),
    ("name", "isnull", True, lambda v: v is None),
    ("number", "gte", 1, lambda v: v is not None and v >= 1),
    ("number", "nin", ["0", "7"], lambda v: v not in {0, 7}),
    ("kind", "in", ["alpha", "beta"], lambda v: v in {"alpha", "beta"}),
    ("flag", "eq", False, lambda v: v is False),
    ("day", "lt", "2024-02-01", lambda v: v.isoformat() < "2024-02-01"),
    ("label", "contains", "B", lambda v: "b" in v.lower()),
)


def trees(depth=3):
    leaf = st.sampled_from(LEAVES).map(lambda each: ("is", each))
    if depth == 0:
        return leaf
    inner = trees(depth - 1)
    joined = st.tuples(st.sampled_from(("and", "or")), st.lists(inner, min_size=1, max_size=3))
    return leaf | joined | st.tuples(st.just("not"), inner)


def body(tree):
    kind, content = tree
    if kind == "is":
        return dict(zip(("field", "op", "value"), content[:3], strict=True))
    return {kind: body(content) if kind == "not" else [body(each) for each in content]}


def passes(tree, row):
    kind, content = tree
    if kind == "is":
        return content[3](row[content[0]])
    if kind == "not":
        return not passes(content, row)
    return (all if kind == "and" else any)(passes(each, row) for each in content)


@quiet
@given(tree=trees())
def test_a_tree_is_the_sets_that_python_would_make(tree, client, rows):
    response = client.post(PATH, json={"filter": body(tree), "fields": ["id"], "limit": 200})
    assert response.status_code == 200, response.text
    found = {row["id"] for row in response.json["data"]}
    assert found == {row["id"] for row in rows if passes(tree, row)}
    again = client.post(PATH, json=response.json["meta"]["applied"])
    assert again.data == response.data


@pytest.mark.parametrize("depth", [4, 100, 450, 900, 5000])
def test_a_body_that_is_nested_too_deeply_is_refused_as_one(client, depth):
    for opening, closing in (("[", "]"), ('{"filter":', "}"), ('{"not":', "}")):
        content = opening * depth + "1" + closing * depth
        response = client.post(PATH, data=content, content_type="application/json")
        assert response.status_code in {400, 422}, response.text


def test_a_number_without_fraction_is_whole_however_json_writes_it(client):
    first, second = (
        client.post(PATH, data=each, content_type="application/json")
        for each in (
            '{"limit": 3, "filter": {"field": "number", "op": "gte", "value": 1}}',
            '{"limit": 3.0, "filter": {"field": "number", "op": "gte", "value": 1.00}}',
        )
    )
    assert first.status_code == second.status_code == 200, second.text
    assert first.data == second.data
    refused = client.post(PATH, data='{"limit": 3.5}', content_type="application/json")
    assert refused.status_code == 422


def test_the_method_query_is_the_same(client):
    sent = {"filter": body(("not", ("is", LEAVES[0]))), "sort": ["-amount"], "limit": 3}
    asked = client.open("/api/samples", method="QUERY", json=sent)
    assert asked.data == client.post(PATH, json=sent).data
    assert client.get("/api/samples").headers["Accept-Query"] == "application/json"


def test_a_search_is_walked_by_cursors(client, rows):
    sent = {"filter": {"not": {"field": "name", "op": "eq", "value": "a"}}, "limit": 9}
    found, cursor = [], None
    while True:
        answer = client.post(PATH, json=sent | {"cursor": cursor}).json
        found += [row["id"] for row in answer["data"]]
        cursor = answer["page"]["next"]
        if cursor is None:
            break
    assert sorted(found) == [row["id"] for row in rows if row["name"] != "a"]


def test_every_mistake_is_pointed_at(client):
    leaf = {"field": "amout", "op": "gte", "value": "1"}
    sent = {
        "filter": {"or": [leaf, {"field": "amount", "op": "ge", "value": 1}, {"field": "id"}]},
        "srt": ["x"],
        "sort": ["-amout"],
        "limit": 0,
        "page": "2",
    }
    response = client.post(PATH, json=sent)
    assert response.status_code == 422
    assert {entry["pointer"] for entry in response.json["errors"]} == {
        *("/filter/or/0/field", "/filter/or/1/op", "/filter/or/2/value"),
        *("/srt", "/sort", "/limit", "/page"),
    }
    assert response.json["errors"][0]["suggestion"] == "amount"


def test_depth_and_leaves_are_limited(client):
    leaf = {"field": "id", "op": "eq", "value": 1}
    deep = {"not": {"not": {"not": {"not": leaf}}}}
    assert client.post(PATH, json={"filter": deep}).json["errors"][0]["code"] == "too_deep"
    wide = client.post(PATH, json={"filter": {"or": [leaf] * 31}})
    assert wide.json["errors"][0]["code"] == "too_many_conditions"


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        ("{", "application/json", 400),
        ("[]", "application/json", 422),
        ("{}", "text/plain", 415),
        ('{"filter": {"field": "id", "value": 1e999999}}', "application/json", 422),
        ('{"filter": {"field": "id", "value": ' + "9" * 5000 + "}}", "application/json", 422),
        ('{"filter": {"field": "name", "value": "\\u0000"}}', "application/json", 400),
        ('{"filter": {"field": "name", "value": "\\ud800"}}', "application/json", 400),
        ('{"filter": {"field": ["id"], "op": {}, "value": NaN}}', "application/json", 400),
        ('{"filter": {"field": ["id"], "op": {}, "value": 1}}', "application/json", 422),
        ("[" * 100_000, "application/json", 400),
    ],
)
def test_a_body_that_is_no_search_is_refused_as_a_problem(client, data, kind, status):
    response = client.post(PATH, data=data, content_type=kind)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")


def test_the_address_has_nothing_to_say_beside_a_body(client):
    response = client.post(f"{PATH}?limit=3", json={})
    assert (response.status_code, response.json["errors"][0]["parameter"]) == (400, "limit")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("filter", "and", "or", "not", "field", "op", "value", "sort", "limit")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(quiet, max_examples=200)
@given(sent=JSON)
def test_any_body_is_answered_or_refused_as_a_problem(sent, client):
    text = json.dumps(sent)
    response = client.post(PATH, data=text, content_type="application/json")
    assert response.status_code in {200, 400, 422}, response.text
