"""What has to hold for each collection that is offered, whatever it declares."""

import csv
import io
import json
import re
from itertools import cycle, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.collections.tests.meaning import in_order, orders
from backend.core.collections.types import FORMULA_MARKS, Enum

quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def content(column, value):
    return None if value is None else column.type.content(value)


def cell(value):
    if value is None:
        return ""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


@settings(quiet, max_examples=4)
@given(data=st.data())
def test_the_three_forms_carry_the_rows_of_the_table_in_one_order(data, shelf):
    asked = {"sort": data.draw(orders(shelf.collection))}
    sorted_ = in_order(shelf.rows, asked["sort"], shelf.key)
    expected = [{c.name: content(c, row[c.name]) for c in shelf.columns} for row in sorted_]
    assert shelf.answer(asked | {"limit": 200})["data"] == expected
    lines = shelf.get(asked | {"format": "ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == expected
    text = shelf.get(asked | {"format": "csv"}).get_data(as_text=True)
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    texts = {each.name for each in shelf.columns if each.type.is_text}
    assert not [r for r in read for n in texts if r[n].startswith(tuple(FORMULA_MARKS[:-1]))]
    found = [{n: v.removeprefix("'") if n in texts else v for n, v in r.items()} for r in read]
    assert found == [{n: cell(value) for n, value in row.items()} for row in expected]
    assert len(text.split("\r\n")) >= len(read) + 2


def test_one_record_is_its_row_of_the_list(shelf):
    for row in shelf.answer({"limit": 4})["data"]:
        address = f"{shelf.path}/{row[shelf.key]}"
        if "/" in str(row[shelf.key]) or re.search(r"[^\w.-]", str(row[shelf.key])):
            continue
        assert shelf.follow(address).json["data"] == row
        fields = shelf.follow(f"{address}?fields={shelf.key}").json["data"]
        assert fields == {shelf.key: row[shelf.key]}


def wrong_ways(shelf):
    """For a query that is right, ways of making each of its parameters wrong, with their codes."""
    key = shelf.key
    return {column.name: wrong_filters(column) for column in shelf.columns} | {
        "sort": [
            ("sort", key),
            ("sort", f"{key}x", "unknown_field"),
            ("sort", f"{key}:last", "unknown_field"),
            ("sort", f"{key},-{key}", "duplicate_item"),
            ("Sort", key, "unknown_parameter"),
        ],
        "fields": [("fields", key), ("fields", "nothing.here", "unknown_field")],
        "limit": [("limit", "5"), *(("limit", text, "invalid_value") for text in ("0", "+5", ""))],
        "count": [("count", "none"), ("count", "all", "invalid_value")],
    }


def wrong_filters(column):
    name, sample, known = column.name, column.type.sample(), column.operators
    found = [
        (name, sample),
        (f"{name}x{name}", sample, "unknown_parameter"),
        (name.upper(), sample, "unknown_parameter"),
        (f"{name}[equals]", sample, "unknown_operator"),
        (f"{name}[EQ]", sample, "unknown_operator"),
        (f"{name}[eq][eq]", sample, "unknown_parameter"),
        (f"{name}[isnull]", "yes", "invalid_value"),
        (name, "x" * 201, "too_long"),
    ]
    if column.type.name != "text":
        found += [(name, text, "invalid_value") for text in ("", "null", f"{sample}~")]
    if "in" in known:
        found.append((f"{name}[in]", f"{sample},,{sample}", "invalid_value"))
    missing = {"gte", "contains"} - set(known)
    return found + [(f"{name}[{op}]", sample, "operator_not_allowed") for op in sorted(missing)]


@quiet
@given(data=st.data())
def test_each_of_so_many_mistakes_is_named_once_and_in_its_place(data, shelf):
    ways = wrong_ways(shelf)
    names = data.draw(st.lists(st.sampled_from(list(ways)), min_size=1, max_size=8, unique=True))
    pairs, expected = [], []
    for name in names:
        right, *wrong = ways[name]
        change = data.draw(st.none() | st.sampled_from(wrong))
        pairs.append(right if change is None else change[:2])
        if change is not None:
            expected.append((change[0], change[2]))
    response = shelf.get([*pairs, *([] if expected else [("limit", "1")] * ("limit" not in names))])
    if not expected:
        assert response.status_code == 200, response.text
        return
    problem = response.json
    assert (response.status_code, response.mimetype) == (400, "application/problem+json")
    assert [(each["parameter"], each["code"]) for each in problem["errors"]] == expected
    for entry in problem["errors"]:
        assert len(entry.get("allowed", [])) <= 20


@pytest.mark.parametrize("where", ["first", "last"])
def test_every_parameter_given_twice_is_said_once(where, shelf):
    for name, (right, *_) in wrong_ways(shelf).items():
        other = ("limit", "5") if name != "limit" else ("count", "none")
        pairs = [right, right, other] if where == "first" else [other, right, right]
        response = shelf.get(pairs)
        (entry,) = response.json["errors"]
        code = "duplicate_item" if name in {"sort", "fields"} else "duplicate_parameter"
        assert (response.status_code, entry["parameter"], entry["code"]) == (400, name, code)


def test_what_is_suggested_for_a_slip_works_when_it_is_followed(shelf):
    tried = 0
    for column in shelf.columns:
        sample, name = column.type.sample(), column.name
        slips = [(f"{name}s", sample), (f"{name[:-1]}", sample), (f"{name.title()}[ne]", sample)]
        slips += [(f"{name}[gtee]", sample), (f"{name}[isnul]", "true")]
        slips += [("sort", f"-{name}s"), ("fields", f"{name}s")]
        if isinstance(column.type, Enum) and len(column.type.values[0]) > 3:
            slips.append((name, column.type.values[0] + "s"))
        for slip, value in slips:
            response = shelf.get([(slip, value)])
            if response.status_code == 200:
                continue
            (entry,) = response.json["errors"]
            suggestion = entry.get("suggestion")
            if suggestion is None:
                continue
            tried += 1
            is_name = entry["code"] in {"unknown_parameter", "unknown_operator"} | {
                "operator_not_allowed"
            }
            assert (
                shelf.get([mended(shelf, slip, value, suggestion, is_name=is_name)]).status_code
                == 200
            ), entry
    assert tried >= len(shelf.columns)


def mended(shelf, name, value, suggestion, *, is_name):
    if not is_name:
        return name, suggestion
    column = shelf.collection.columns.get(suggestion.partition("[")[0])
    if column is None:
        return suggestion, {"limit": "1", "page": "1", "count": "none", "tz": "UTC"}.get(
            suggestion, value
        )
    if suggestion.endswith("[isnull]"):
        return suggestion, "true"
    sample = column.type.sample()
    return suggestion, f"{sample},{sample}" if suggestion.endswith("[between]") else sample


HOSTILE = (
    *("%00", "%ED%A0%80", "%FF", "\N{GRINNING FACE}", "9" * 400, "-" + "9" * 60, "1e999999"),
    *("1.", ".5", "--1", "0x10", "NaN", "Infinity", "\N{ARABIC-INDIC DIGIT ONE}", "9999-12-31"),
    *("0000-00-00", "2024-02-30", "2024-01-01T24:00:00Z", "0001-01-01T00:00:00+14:00"),
    *("2024-01-01T00:00:00+99:99", "''", '"', '"a', "a,b", "';--", "%2525", "0-0", "9" * 18 + "-1"),
    *("18446744073709551616", "-9223372036854775809", "true,false", "\x7f", "%0A"),
)


def test_no_hostile_operand_is_more_than_a_mistake(shelf):
    of_each_type = {type(each.type): each for each in shelf.columns}
    for column in of_each_type.values():
        listed = [op for op in column.operators if op in {"in", "nin", "between"}]
        plain = [op for op in column.operators if op not in {*listed, "isnull"}]
        for text in HOSTILE:
            for operators in (listed, plain, ["isnull"]):
                names = [f"{column.name}[{op}]" for op in operators]
                pairs = "&".join(f"{name}={text}" for name in names)
                response = shelf.follow(f"{shelf.path}?{pairs}&limit=1")
                assert response.status_code in {200, 400}, (pairs, response.text)
                if response.status_code == 400:
                    assert {each["parameter"] for each in response.json["errors"]} <= set(names)


def test_no_hostile_word_anywhere_else_is_more_than_a_mistake(shelf):
    words = ("sort", "fields", "include", "limit", "page", "cursor", "count", "format", "tz")
    words += ("by", "metrics", "fill", "top", "totals", "having[count][gte]", "order")
    texts = cycle(HOSTILE)
    for path, word in product(("", "/aggregates", "/describe"), words):
        response = shelf.follow(f"{shelf.path}{path}?{word}={(text := next(texts))}")
        assert response.status_code in {200, 400}, (path, word, text, response.text)
    for text in HOSTILE:
        found = shelf.follow(f"{shelf.path}/{text.replace('/', '')}")
        assert found.status_code in {200, 404, 400}, (text, found.text)


def test_a_page_takes_as_many_statements_however_many_rows_it_has(shelf, statements):
    included = ",".join(shelf.collection.includes)
    seen = []
    for limit in (1, 60):
        statements.clear()
        shelf.answer({"limit": limit} | ({"include": included} if included else {}))
        seen.append([each for each in statements if each != ";"])
    assert seen[0] == seen[1]
    assert len([each for each in seen[0] if "row_to_json" in each]) == 1


def test_an_answer_that_is_known_is_304_without_its_rows_being_read(shelf, statements):
    for path in ("", "?sort=-" + shelf.key, "?format=csv", "/aggregates"):
        first = shelf.follow(shelf.path + path)
        first.get_data()
        assert first.headers["Cache-Control"] == "private, no-cache"
        if not shelf.collection.revisions:
            assert "ETag" not in first.headers
            continue
        statements.clear()
        again = shelf.follow(shelf.path + path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary"):
            assert again.headers[name] == first.headers[name]
        table = shelf.collection.table.name
        assert not [each for each in statements if f"FROM {table}" in str(each)]


def test_what_describes_the_collection_works_as_described(shelf):
    told = shelf.answer(path="/describe")["data"]
    assert [each["name"] for each in told["columns"]] == list(shelf.collection.columns)
    assert [each["operators"] for each in told["columns"]] == [
        list(each.operators) for each in shelf.columns
    ]
    assert shelf.answer({"limit": 1})["meta"]["applied"]["sort"] == told["default_sort"]
    for example in told["examples"]:
        response = shelf.follow(
            example + ("&currency=EUR" * ("sum(" in example and shelf.path.endswith("samples")))
        )
        assert response.status_code == 200, (example, response.text)
        response.get_data()
