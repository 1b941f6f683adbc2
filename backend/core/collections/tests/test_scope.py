import pytest

from backend.core.collections.problems import RecordNotFound
from backend.core.database import transaction

PATH = "/api/notes"
NOWHERE = 99_999_999
MINE, THEIRS = {"X-Caller": "scope mine"}, {"X-Caller": "scope theirs"}
# What a request to a record may carry beside its address: nothing, what is right, what is wrong.
SENT = (
    {},
    {"json": {"title": "b"}},
    {"json": {"nonsense": 1}},
    {"data": "{", "content_type": "application/json"},
    {"json": {"title": "b"}, "headers": {"If-Match": '"1"'}},
    {"json": {"title": "b"}, "headers": {"If-Match": '"9"'}},
    {"headers": {"If-Match": "*"}},
    {"headers": {"If-None-Match": '"1"'}},
    {"headers": {"Accept": "application/json"}},
)


@pytest.fixture
def foreign(client):
    """The key of a record of somebody else."""
    made = client.post(PATH, json={"title": "one", "amount": "7"}, headers=MINE)
    if made.status_code == 201:
        return made.json["data"]["id"]
    return client.get(PATH, headers=MINE).json["data"][0]["id"]


def told(response, key):
    """All that an answer tells, but for what differs from one request to the next."""
    passing = {"X-Request-ID", "Content-Length"}  # The body, which is compared, has the key in it.
    headers = {name: v for name, v in response.headers.items() if name not in passing}
    body = response.get_json(silent=True)
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name != "instance"}
    return response.status_code, str(body).replace(str(key), "KEY"), headers


def routes_of_records(app):
    rules = app.url_map.iter_rules()
    return [
        (rule.rule.partition("<string:key>")[2] or rule.rule.partition("<key>")[2], method)
        for rule in rules
        if rule.rule.startswith(f"{PATH}/<")
        for method in sorted(rule.methods - {"OPTIONS"})
    ]


def test_a_foreign_record_is_as_missing_as_one_that_never_was_for_every_method(
    client, foreign, library
):
    routes = routes_of_records(library)
    methods = {method for _, method in routes}
    assert {"GET", "HEAD", "PATCH", "DELETE", "POST"} <= methods
    assert ":restore" in {suffix for suffix, _ in routes}
    for suffix, method in routes:
        for sent in SENT:
            options = sent | {"method": method, "headers": THEIRS | sent.get("headers", {})}
            found = [
                told(client.open(f"{PATH}/{key}{suffix}", **options), key)
                for key in (foreign, NOWHERE)
            ]
            assert found[0][:2] == found[1][:2]
            assert dict(found[0][2].items() ^ found[1][2].items()) == {}
            assert found[0][0] == 404, (suffix, method, sent)
    assert client.get(f"{PATH}/{foreign}", headers=MINE).json["data"]["version"] == 1


@pytest.mark.parametrize(
    "asked",
    [
        *("?id={}", "?id[in]={}&count=exact", "?id={}&count=none", "?id={}&page=1"),
        *("?id={}&format=csv", "?id={}&format=ndjson", "?id={}&fields=id&sort=-title"),
        *("/aggregates?id={}", "/aggregates?id={}&by=&metrics=count", "?id={}&count=estimate"),
        "/aggregates?id={}&metrics=count_distinct(title),count&totals=true",
    ],
)
def test_no_list_count_group_or_file_tells_of_a_foreign_record(client, foreign, asked):
    found = []
    for key in (foreign, NOWHERE):
        response = client.get(PATH + asked.format(key), headers=THEIRS)
        text = response.get_data(as_text=True).replace(str(key), "KEY")
        names = {name for name, _ in response.headers.items()}
        found.append((response.status_code, text if response.status_code == 200 else "", names))
    assert found[0] == found[1]


@pytest.mark.parametrize("method", ["POST", "QUERY"])
def test_no_search_tells_of_a_foreign_record(client, foreign, method):
    found = []
    for key in (foreign, NOWHERE):
        leaf = {"field": "id", "op": "eq", "value": key}
        path = f"{PATH}:search" if method == "POST" else PATH
        sent = {"filter": {"or": [leaf, {"not": {"not": leaf}}]}}
        response = client.open(path, method=method, json=sent, headers=THEIRS)
        assert response.status_code == 200
        found.append(response.text.replace(str(key), "KEY"))
    assert found[0] == found[1]


def test_a_foreign_title_is_no_obstacle_that_tells_of_it(client, foreign):
    made = client.post(PATH, json={"title": "one"}, headers=THEIRS)
    assert made.status_code in {201, 409}
    assert made.status_code == 201 or len(client.get(PATH, headers=THEIRS).json["data"]) == 1


@pytest.fixture
def deleted(client):
    """The key of a record that somebody else deleted."""
    key = client.post(PATH, json={"title": "gone"}, headers=MINE).json["data"]["id"]
    client.delete(f"{PATH}/{key}", headers=MINE)
    yield key
    assert client.get(f"{PATH}/{key}", headers=MINE).status_code == 404
    client.post(f"{PATH}/{key}:restore", headers=MINE)
    client.patch(f"{PATH}/{key}", json={"title": str(key)}, headers=MINE | {"If-Match": "*"})


def test_what_somebody_else_deleted_is_missing_and_stays_deleted(client, deleted):
    for method, suffix in (("get", ""), ("delete", ""), ("post", ":restore")):
        call = getattr(client, method)
        found = [
            told(call(f"{PATH}/{key}{suffix}", headers=THEIRS), key) for key in (deleted, NOWHERE)
        ]
        assert found[0] == found[1]
        assert found[0][0] == 404


def test_a_writer_that_is_called_past_the_doors_sees_no_foreign_record_either(
    library, declared, foreign, deleted, client
):
    writer = declared.notes.writer
    for call in (
        lambda: writer.update(foreign, {"title": "b"}, 1),
        lambda: writer.delete(foreign, None),
        lambda: writer.restore(foreign),
        lambda: writer.restore(deleted),
    ):
        with (
            library.test_request_context(headers=THEIRS),
            pytest.raises(RecordNotFound),
            transaction(),
        ):
            call()
    assert client.get(f"{PATH}/{foreign}", headers=MINE).json["data"]["title"] == "one"
