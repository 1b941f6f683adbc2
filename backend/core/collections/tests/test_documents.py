import json
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from backend.core import collections
from backend.core.collections import Col, Collection, DeclarationError
from backend.core.collections.declaration import RESERVED
from backend.core.collections.parse import LIST_WORDS
from backend.core.collections.parse_groups import GROUP_WORDS

KINDS = ("count", "count_distinct", "sum", "avg", "min", "max", "share")


@pytest.fixture(scope="module")
def document(library):
    api = library.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    return json.loads(json.dumps(api.spec.to_dict()))


def parameters_of(document, path):
    return document["paths"][path]["get"]["parameters"]


def test_exactly_what_works_is_documented_as_a_parameter(document, shelf):
    columns = {
        column.name if op == "eq" else f"{column.name}[{op}]"
        for column in shelf.columns
        for op in column.operators
    }
    words = {"": LIST_WORDS, "/aggregates": GROUP_WORDS}
    for suffix, known in words.items():
        found = [
            p["name"] for p in parameters_of(document, shelf.path + suffix) if p["in"] == "query"
        ]
        assert len(found) == len(set(found))
        having = {name for name in found if name.startswith("having[")}
        missing = known - set(found)
        assert set(found) - having - known == columns
        for name in missing | (RESERVED - known - {"having"}):
            entries = shelf.get({name: "1"}, suffix).json["errors"]
            assert name in {entry["parameter"] for entry in entries}
        for name in having:
            metric = name.split("[")[1].removesuffix("]")
            asked = {"metrics": _called(shelf, metric), name: "1,2" if "between" in name else "1"}
            codes = {e["code"] for e in shelf.get(asked, suffix).json.get("errors", [])}
            assert codes <= {"invalid_value", "mixed_currencies", "out_of_range"}, name


def _called(shelf, metric):
    """The metric's name in an answer as it is asked for."""
    names = {
        f"{kind}_{name}": f"{kind}({name})" for name in shelf.collection.columns for kind in KINDS
    }
    return names.get(metric, metric)


def test_every_documented_parameter_works_with_its_example(document, shelf):
    examples = []
    for each in parameters_of(document, shelf.path):
        if "example" in each:
            value = each["example"]
            text = ",".join(value) if isinstance(value, list) else json.dumps(value).strip('"')
            examples.append((each["name"], text))
    filters = [each for each in examples if each[0].partition("[")[0] in shelf.collection.columns]
    assert len(filters) == sum(len(column.operators) for column in shelf.columns)
    for at in range(0, len(filters), 15):
        shelf.answer(filters[at : at + 15])
    for each in examples:
        if each not in filters:
            response = shelf.get([each])
            assert response.status_code == 200, (each, response.text)
            response.get_data()


def test_every_documented_word_of_a_list_works(document, get):
    for path in ("/api/samples", "/api/samples/aggregates"):
        for each in document["paths"][path]["get"]["parameters"]:
            words = each["schema"].get("items", {}).get("enum") or each["schema"].get("enum")
            if (
                not words
                or each["name"] in {"order", "fill", "kind", "currency"}
                or "[" in each["name"]
            ):
                continue
            for word in words:
                pairs = {each["name"]: word}
                if "." in word:
                    pairs["include"] = word.partition(".")[0]
                if each["name"] == "metrics":
                    pairs["currency"] = "EUR"
                if path.endswith("aggregates") and each["name"] == "sort":
                    continue
                response = get(path, pairs)
                assert response.status_code == 200, (pairs, response.text)
                response.get_data()


def test_every_operation_is_documented_with_its_problems(document):
    paths = document["paths"]
    assert {
        *("/api/samples", "/api/samples/{key}", "/api/samples/aggregates"),
        *("/api/samples/describe", "/api/samples:search", "/api/notes:batch"),
        *("/api/notes/{key}", "/api/notes/{key}:restore", "/api/collections"),
    } <= set(paths)
    assert set(paths["/api/notes/{key}"]) >= {"get", "patch", "delete"}
    for path, operations in paths.items():
        if path.startswith(("/api/samples", "/api/notes")):
            for method, operation in operations.items():
                if method in {"get", "post", "patch", "delete"}:
                    assert operation["summary"]
                    assert operation["responses"]


def test_the_answer_fits_its_schema(document, client):
    schema = document["paths"]["/api/samples"]["get"]["responses"]["200"]["content"]
    row = schema["application/json"]["schema"]["properties"]["data"]["items"]["properties"]
    data = client.get("/api/samples?include=group").json["data"]
    assert set(data[0]) == set(row)
    types = {str: "string", int: "integer", bool: "boolean", type(None): "null", dict: "object"}
    for each in data:
        for name, value in each.items():
            kinds = row[name]["type"]
            assert types[type(value)] in ([kinds] if isinstance(kinds, str) else kinds), name


def test_describing_tells_what_may_be_asked(client, declared):
    told = client.get("/api/samples/describe").json["data"]
    assert told["default_sort"] == ["-day", "id"]
    amount = next(each for each in told["columns"] if each["name"] == "amount")
    assert amount["operators"][0] == "eq"
    assert amount["metrics"] == ["sum", "avg", "min", "max"]
    assert told["limits"]["limit"] == 200
    for example in told["examples"]:
        more = "&currency=EUR" if "sum(" in example else ""
        response = client.get(example + more)
        assert response.status_code == 200, (example, response.text)
        response.get_data()


def test_the_catalogue_lists_what_the_caller_may_read(client):
    found = {each["name"]: each for each in client.get("/api/collections").json["data"]}
    assert {"samples", "notes"} <= set(found)
    assert found["samples"]["path"] == "/api/samples"
    assert client.get(found["samples"]["describe"]).status_code == 200


def columns(*declared):
    return [Col("id", collections.Id()), *declared]


@pytest.mark.parametrize(
    "options",
    [
        {"columns": columns(Col("sort", collections.Text()))},
        {"columns": columns(Col("missing", collections.Text()))},
        {"columns": columns(Col("name", collections.Text(81), sortable=True))},
        {"columns": columns(Col("name", collections.Text(), metrics=("sum",)))},
        {"columns": columns(Col("name", collections.Text(), buckets=("month",)))},
        {"columns": columns(Col("name", collections.Text()), Col("name", collections.Text()))},
        {"columns": columns(), "default_sort": "name"},
        {"columns": columns(Col("name", collections.Text())), "default_sort": "name"},
        {"columns": [Col("name", collections.Text())]},
    ],
)
def test_a_declaration_that_could_not_work_is_refused_when_it_is_loaded(options):
    table = sa.Table(
        "declared",
        sa.MetaData(),
        *(sa.Column("id", sa.Integer), sa.Column("name", sa.Text), sa.Column("sort", sa.Text)),
    )
    with pytest.raises(DeclarationError):
        Collection("declared", model=table, **options)


THIRD = {"id": 3, "weight": "4.5", "sent_on": "2024-02-02"}
PARCEL = sa.Table(
    "parcel",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("weight", sa.Numeric(6, 1), nullable=False),
    sa.Column("sent_on", sa.Date),
)


@pytest.fixture
def parcels(another_app, owner_connection, mounting):
    """A client of an application in which a collection was declared in a few lines."""
    with owner_connection.begin():
        PARCEL.create(owner_connection)
        operations = SimpleNamespace(execute=owner_connection.exec_driver_sql)
        collections.attach_trigger(operations, "parcel")
        owner_connection.exec_driver_sql("grant select on parcel to quintet_app")
        owner_connection.exec_driver_sql(
            "insert into parcel select n, n * 1.5, date '2024-01-30' + n"
            " from generate_series(1, 9) n"
        )
    declared = Collection(
        "parcels",
        model=PARCEL,
        revisions=("parcel",),
        columns=[
            Col("id", collections.Id()),
            Col("weight", collections.Number(), sortable=True, metrics=("sum",)),
            Col("sent_on", collections.Date(), buckets=("month",)),
        ],
    )
    mounting(another_app, declared)
    return FlaskClient(another_app, another_app.response_class)


def test_a_throw_away_collection_has_all_of_the_language(parcels, another_app):
    found = parcels.get("/api/parcels?weight[gte]=12&sort=-weight").json
    assert [row["weight"] for row in found["data"]] == ["13.5", "12.0"]
    months = parcels.get("/api/parcels/aggregates?by=month(sent_on)").json["data"]
    assert [(row["sent_on_month"], row["sum_weight"]) for row in months] == [
        ("2024-01", "1.5"),
        ("2024-02", "66.0"),
    ]
    assert parcels.get("/api/parcels?format=csv").text.count("\r\n") == 10
    assert parcels.get("/api/parcels?wieght=1").json["errors"][0]["suggestion"] == "weight"
    assert "parcels" in {e["name"] for e in parcels.get("/api/collections").json["data"]}
    described = parcels.get("/api/parcels/describe").json["data"]["columns"]
    assert [column["name"] for column in described] == ["id", "weight", "sent_on"]
    document = another_app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec.to_dict()
    assert "/api/parcels:search" in document["paths"]
    named = {each["name"] for each in document["paths"]["/api/parcels"]["get"]["parameters"]}
    assert {"id[in]", "weight", "weight[between]", "sent_on[isnull]", "sort", "cursor"} <= named
    lines = parcels.get("/api/parcels?format=ndjson&id=3").text.splitlines()
    assert [json.loads(line) for line in lines] == [found["data"][0] | THIRD]
    problem = parcels.get("/api/parcels?weight[contains]=1&sent_on=1/2/2024&sort=sent_on").json
    assert [(each["parameter"], each["code"]) for each in problem["errors"]] == [
        ("weight[contains]", "operator_not_allowed"),
        ("sent_on", "invalid_value"),
        ("sort", "not_sortable"),
    ]
