import csv
import io
import json
import time

import pytest

from backend.core.collections import EVERYTHING, Collection, Limits
from backend.core.collections.export import export
from backend.core.collections.parse import parse_list
from backend.core.collections.problems import QueryTimeout, TooManyExports
from backend.core.downloads import download

PATH = "/api/samples"
COLUMNS = "id,name,label,kind,flag,number,amount,ratio,day,paid_on,seen_at,currency,group_id"


def cell(value):
    if value is None:
        return ""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def unescaped(text):
    return text.removeprefix("'")


@pytest.mark.parametrize("sort", ["id", "-amount,label", "name:nullsfirst", "-seen_at"])
def test_the_three_forms_carry_the_same_rows_in_the_same_order(get, sort):
    rows = get(PATH, {"sort": sort, "limit": 200}).json["data"]
    lines = get(PATH, {"sort": sort, "format": "ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == rows
    text = get(PATH, {"sort": sort, "format": "csv"}).get_data(as_text=True)
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    texts = {"name", "label", "kind", "currency"}
    found = [{n: unescaped(v) if n in texts else v for n, v in row.items()} for row in read]
    assert found == [{name: cell(value) for name, value in row.items()} for row in rows]


def test_no_text_of_a_file_begins_like_a_formula_and_no_number_is_touched(get):
    text = get(PATH, {"format": "csv", "sort": "amount"}).get_data(as_text=True)
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    for row in read:
        assert not row["name"].startswith(tuple("=+-@\t\r"))
        assert not row["label"].startswith(tuple("=+-@\t\r"))
    assert any(row["amount"].startswith("-") for row in read)
    assert any(row["label"].startswith("'=") for row in read)


def test_a_file_of_values_has_a_header_crlf_and_a_name(get):
    response = get(PATH, {"format": "csv", "fields": "id,amount", "limit": 2, "sort": "id"})
    first, second, third, end = response.data.split(b"\r\n")
    assert (first, end) == (b"id,amount", b"")
    assert second.startswith(b"1,")
    assert third.startswith(b"2,")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert 'filename="samples-' in response.headers["Content-Disposition"]


def test_a_file_without_rows_has_its_header_alone(get):
    assert get(PATH, {"format": "csv", "id": 0}).text == COLUMNS + "\r\n"
    assert get(PATH, {"format": "ndjson", "id": 0}).text == ""


def test_included_records_are_flattened_in_files_of_values(get, rows):
    parameters = {"include": "group", "fields": "id,group.title", "sort": "id"}
    text = get(PATH, parameters | {"format": "csv"}).get_data(as_text=True)
    header, first, *_ = text.splitlines()
    assert header == "id,group.title"
    title = f"group {rows[0]['group_id']}" if rows[0]["group_id"] else ""
    assert first == f"1,{title}"
    line = get(PATH, parameters | {"format": "ndjson"}).text.splitlines()[0]
    assert json.loads(line)["group"] == ({"title": title} if title else None)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("text/csv", "text/csv"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("text/csv, application/json;q=0.5", "text/csv"),
    ],
)
def test_the_accept_header_chooses_the_form(client, header, kind):
    assert client.get(PATH, headers={"Accept": header}).mimetype == kind


def test_the_parameter_wins_over_the_header_and_nothing_acceptable_is_406(client):
    response = client.get(f"{PATH}?format=csv", headers={"Accept": "image/png"})
    assert response.mimetype == "text/csv"
    refused = client.get(PATH, headers={"Accept": "image/png"})
    assert (refused.status_code, refused.mimetype) == (406, "application/problem+json")
    assert client.get(f"{PATH}/1", headers={"Accept": "text/csv"}).status_code == 406


def test_an_export_is_the_whole_set_and_takes_no_pages(get):
    entries = get(PATH, {"format": "csv", "page": 2, "count": "exact"}).json["errors"]
    assert {entry["parameter"] for entry in entries} == {"page", "count"}


def test_an_export_reads_one_moment(library, owner_connection, table, declared):
    query = parse_list(declared.samples, "format=ndjson&fields=id,label")
    with library.app_context():
        pieces = export(declared.samples, query, EVERYTHING)
        first = next(pieces)
        with owner_connection.begin():
            changed = table.sample.update().values(label="changed").where(table.sample.c.id < 0)
            owner_connection.execute(changed)
        whole = first + b"".join(pieces)
    assert len(whole.splitlines()) == 70


def test_a_caller_has_two_exports_at_once_and_the_next_one_after_they_end(library, declared):
    query = parse_list(declared.samples, "format=csv")
    with library.app_context():
        running = [export(declared.samples, query, EVERYTHING, "ada") for _ in range(2)]
        assert all(next(each) for each in running)
        with pytest.raises(TooManyExports):
            next(export(declared.samples, query, EVERYTHING, "ada"))
        assert next(export(declared.samples, query, EVERYTHING, "ben"))
        for each in running:
            each.close()
        assert next(export(declared.samples, query, EVERYTHING, "ada"))


def test_a_file_says_how_long_it_is(client, get):
    for path in (PATH, f"{PATH}/aggregates"):
        for form in ("csv", "ndjson"):
            response = get(path, {"format": form})
            assert response.content_length == len(response.data) > 0


@pytest.fixture
def hurried(table, declared):
    """The same rows under another name, for exports that may take a second."""
    return Collection(
        "hurried",
        model=table.sample,
        columns=[each.declared for each in declared.samples.columns.values()],
        limits=Limits(export_seconds=1),
    )


@pytest.fixture
def many_rows(owner_connection, table):
    with owner_connection.begin():
        owner_connection.exec_driver_sql(
            "insert into sample (id, label, kind, amount, day, currency)"
            " select n, repeat('x', 80), 'beta', 1, date '2024-01-01', 'EUR'"
            " from generate_series(10000, 70000) as n"
        )
    yield
    with owner_connection.begin():
        owner_connection.execute(table.sample.delete().where(table.sample.c.id >= 10_000))


def test_an_export_that_takes_too_long_is_refused_and_no_part_of_it_is_sent(
    library, many_rows, hurried
):
    with library.app_context():
        pieces = export(hurried, parse_list(hurried, "format=csv"), EVERYTHING)
        sent = [next(pieces)]

        def slowly():
            yield from sent
            time.sleep(1.5)
            yield from pieces

        with pytest.raises(QueryTimeout):
            download(slowly(), name="x.csv", content_type="text/csv")


def test_a_caller_who_reads_slowly_keeps_no_connection_of_the_database(
    client, library, owner_connection, many_rows
):
    open_ones = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and application_name = 'quintet reading' and state = 'idle in transaction'"
    )
    response = client.get(f"{PATH}?format=csv", buffered=False)
    assert next(iter(response.response))
    with owner_connection.begin():
        assert owner_connection.exec_driver_sql(open_ones).scalar_one() == 0
    response.close()
