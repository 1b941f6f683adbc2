import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.collections import Col, Collection, Id, Limits, read
from backend.core.collections.problems import QueryTimeout
from backend.core.database import transaction

PATHS = ("/api/samples", "/api/samples/aggregates", "/api/samples/3", "/api/samples/describe")
quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# A valid query, and for each parameter ways of making it wrong that leave the others right.
VALID = {
    "amount[gte]": "2.50",
    "label[in]": "a,b",
    "day": "2024-01-05",
    "flag": "true",
    "sort": "-amount",
    "limit": "20",
    "count": "exact",
    "fields": "id,amount",
}
MUTATIONS = (
    ("amount[gte]", "amout[gte]", "2.50", "unknown_parameter"),
    ("amount[gte]", "amount[ge]", "2.50", "unknown_operator"),
    ("amount[gte]", "amount[contains]", "2.50", "operator_not_allowed"),
    ("amount[gte]", "amount[gte]", "1,000.00", "invalid_value"),
    ("amount[gte]", "amount[gte]", "1.239", "out_of_range"),
    ("label[in]", "label[in]", "a,,b", "invalid_value"),
    ("label[in]", "label[gte]", "a", "operator_not_allowed"),
    ("label[in]", "Label[in]", "a", "unknown_parameter"),
    ("day", "day", "3/7/2024", "invalid_value"),
    ("day", "day", "null", "invalid_value"),
    ("flag", "flag", "TRUE", "invalid_value"),
    ("flag", "flag", "", "invalid_value"),
    ("sort", "sort", "-amout", "unknown_field"),
    ("sort", "sort", "amount,amount", "duplicate_item"),
    ("sort", "sort", "group_id", "not_sortable"),
    ("limit", "limit", "0", "invalid_value"),
    ("limit", "limit", "+5", "invalid_value"),
    ("limit", "limt", "5", "unknown_parameter"),
    ("count", "count", "exakt", "invalid_value"),
    ("fields", "fields", "id,amout", "unknown_field"),
    ("fields", "fields", "id,id", "duplicate_item"),
)


@pytest.mark.parametrize(("name", "wrong", "value", "code"), MUTATIONS)
def test_one_mistake_is_one_error_at_its_parameter(get, name, wrong, value, code):
    pairs = [(wrong, value) if each == name else (each, VALID[each]) for each in VALID]
    response = get("/api/samples", pairs)
    (entry,) = response.json["errors"]
    assert (response.status_code, response.mimetype) == (400, "application/problem+json")
    assert (entry["parameter"], entry["code"]) == (wrong, code)


@quiet
@given(data=st.data())
def test_so_many_mistakes_are_so_many_errors_in_the_order_of_the_request(data, get):
    names = data.draw(st.lists(st.sampled_from(list(VALID)), min_size=1, unique=True))
    chosen = {n: data.draw(st.sampled_from([m for m in MUTATIONS if m[0] == n])) for n in names}
    pairs = [chosen[name][1:3] if name in chosen else (name, VALID[name]) for name in VALID]
    entries = get("/api/samples", pairs).json["errors"]
    assert [e["parameter"] for e in entries] == [chosen[n][1] for n in VALID if n in chosen]


@quiet
@given(name=st.sampled_from([name for name in VALID if name != "label[in]"]))
def test_what_is_given_twice_is_said_once(name, get):
    if name in {"sort", "fields"}:
        return
    (entry,) = get("/api/samples", [*VALID.items(), (name, VALID[name])]).json["errors"]
    assert (entry["parameter"], entry["code"]) == (name, "duplicate_parameter")


def test_a_field_and_its_eq_are_the_same_parameter(get):
    (entry,) = get("/api/samples", {"day": "2024-01-01", "day[eq]": "2024-01-01"}).json["errors"]
    assert (entry["parameter"], entry["code"]) == ("day[eq]", "duplicate_parameter")


@quiet
@given(name=st.text(st.sampled_from("amountdyflgkinex"), min_size=3, max_size=8))
def test_suggestions_are_names_that_work(name, get, declared):
    response = get("/api/samples", {name: "true", "sort": name})
    if response.status_code == 200:
        return
    known = {*declared.samples.columns, "sort", "order", "fields", "include", "limit", "cursor"}
    for entry in response.json["errors"]:
        suggestion = entry.get("suggestion")
        if suggestion and entry["code"] in {"unknown_parameter", "unknown_field"}:
            assert suggestion in known | {"page", "count", "format", "tz"}
        assert len(entry.get("allowed", [])) <= 20


ANY_PIECE = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        (
            *("amount", "amount[gte]", "day[between]", "seen_at", "label[in]", "id", "tz", "by"),
            *("sort", "cursor", "page", "limit", "fields", "include", "count", "format", "having"),
            *("having[count][gte]", "metrics", "top", "fill", "totals", "order", "a[b][c][d]"),
            *(
                "[",
                "]",
                "[]",
                "%",
                "%00",
                "%ff",
                "%ed%a0%80",
                "\0",
                "\ud800",
                "9" * 400,
                "1e999999",
            ),
            *(
                "month(day)",
                "hour(seen_at)",
                "sum(amount)",
                "count",
                "-amount",
                "2024-01-05",
                "csv",
            ),
            *("zero", "true", "UTC", "Europe/Berlin", "EST", "../../etc", "posix/UTC", "-" * 50),
        )
    ),
)


@settings(quiet, max_examples=400)
@given(
    path=st.sampled_from(PATHS),
    pieces=st.lists(st.tuples(ANY_PIECE, ANY_PIECE), max_size=5),
    glue=st.sampled_from(("&", "&&", ";", "&=&")),
)
def test_any_query_string_is_answered_or_refused_as_a_problem(path, pieces, glue, client):
    text = glue.join(f"{name}={value}" for name, value in pieces)
    raw = text.encode("utf-8", "surrogatepass").replace(b"\r", b"").replace(b"\n", b"")
    response = client.get(path, environ_overrides={"QUERY_STRING": raw.decode("latin-1")})
    assert response.status_code in {200, 400, 406}, response.text
    if response.status_code != 200:
        assert response.mimetype == "application/problem+json"
        assert all("parameter" in entry for entry in response.json.get("errors", []))
    response.get_data()


@pytest.mark.parametrize("key", ["0", "999999", "x", "9" * 50, "1.0", "%00", "%F0%9F%98%80", "-1"])
def test_an_id_that_cannot_be_is_as_missing_as_any_other(client, key):
    response = client.get(f"/api/samples/{key}")
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ({"tz": "Europe/Berlin"}, "not_applicable"),
        ({"tz": "Europe/Berln", "seen_at": "2024-01-01"}, "invalid_value"),
        ({"cursor": "x", "page": "2"}, "parameter_conflict"),
        ({"order": "desc"}, "parameter_conflict"),
        ({"sort": "-amount", "order": "desc"}, "parameter_conflict"),
        ({"sort": "amount", "order": "down"}, "invalid_value"),
        ({"by": "label"}, "not_applicable"),
        ({"include": "grup"}, "unknown_include"),
        ({"fields": "group.title"}, "unknown_field"),
        ({"sort": "id,name,label,kind,flag,number"}, "too_many_items"),
        ({"label[in]": ",".join("abcdefghij" * 11)}, "too_many_items"),
        ({"amount[between]": "5,1"}, "invalid_value"),
        ({"amount[between]": "5"}, "invalid_value"),
    ],
)
def test_parameters_without_effect_and_contradictions_are_refused(get, pairs, code):
    response = get("/api/samples", pairs)
    assert response.status_code == 400
    assert code in {entry["code"] for entry in response.json["errors"]}


def test_too_many_conditions_are_counted(get, declared):
    operators = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "between", "isnull")
    values = {"between": "1,2", "isnull": "false"}
    pairs = {
        f"{n}[{op}]": values.get(op, "1") for n in ("number", "ratio", "amount") for op in operators
    }
    (entry,) = get("/api/samples", pairs).json["errors"]
    assert (entry["code"], entry["detail"]) == ("too_many_conditions", "At most 20 conditions.")


def test_a_query_string_that_is_too_long_is_refused_by_us(client):
    response = client.get("/api/samples?label=" + "x" * 3600)
    assert (response.status_code, response.mimetype) == (400, "application/problem+json")
    assert response.json["errors"][0]["code"] == "query_too_long"


def test_order_is_an_alias_of_signs(get):
    signed = get("/api/samples", {"sort": "-label,number"}).json["data"]
    assert get("/api/samples", {"sort": "label,number", "order": "desc,asc"}).json["data"] == signed
    every = get("/api/samples", {"sort": "-label,-number"}).json["data"]
    assert get("/api/samples", {"sort": "label,number", "order": "desc"}).json["data"] == every


def test_a_plus_sign_that_became_a_blank_is_explained(client):
    response = client.get("/api/samples?seen_at[gte]=2024-01-05T10:00:00+01:00")
    (entry,) = response.json["errors"]
    assert "%2B" in entry["detail"]
    assert client.get(f"/api/samples?seen_at[gte]={entry['suggestion']}").status_code == 200


def test_a_statement_that_takes_too_long_is_stopped_and_says_what_to_do(library, declared, table):
    late = sa.select(table.sample.c.id).where(sa.func.pg_sleep(0.1).cast(sa.Text) == "").subquery()
    slow = Collection("late", model=late, columns=[Col("id", Id())], limits=Limits(seconds=1))
    with library.app_context(), pytest.raises(QueryTimeout) as caught, transaction():
        read(slow)
    assert caught.value.status == 503
    assert caught.value.headers["Retry-After"]
    assert caught.value.code == "query-timeout"
