import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.collections.tests.meaning import (
    conditions,
    operands_of,
    orders,
    parameter,
    passing,
)
from backend.core.collections.tests.samples import WORDS

PATH = "/api/samples"
OPPOSITES = (("eq", "ne"), ("in", "nin"), ("isnull", "isnull"))
quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def matched(shelf, chosen):
    """Prove that the list has exactly the rows that Python keeps."""
    pairs = [parameter(*each) for each in chosen]
    found = shelf.keys(pairs)
    assert sorted(found) == sorted(shelf.keys_of(passing(shelf.rows, chosen))), pairs


def test_every_operator_of_every_column_is_the_filter_that_python_would_apply(shelf):
    pick = random.Random(shelf.collection.name)
    for column in shelf.columns:
        present = [row[column.name] for row in shelf.rows if row[column.name] is not None]
        values = present or [column.type.parse(column.type.sample())]
        for op in column.operators:
            number = {"between": 2, "in": 3, "nin": 3}.get(op, 1)
            operands = sorted(pick.choice(values) for _ in range(number))
            matched(shelf, [(column, op, (True,) if op == "isnull" else tuple(operands))])


@quiet
@given(data=st.data())
def test_all_of_several_conditions_hold(data, shelf):
    matched(shelf, data.draw(conditions(shelf.collection, shelf.rows)))


@quiet
@given(data=st.data())
def test_an_operator_and_its_opposite_share_out_the_rows(data, shelf):
    column = data.draw(st.sampled_from(shelf.columns))
    known = [each for each in OPPOSITES if each[0] in column.operators]
    op, other = data.draw(st.sampled_from(known))
    operands = data.draw(operands_of(column, op, shelf.rows))
    opposite = (not operands[0],) if op == "isnull" else operands
    found = shelf.keys([parameter(column, op, operands)])
    rest = shelf.keys([parameter(column, other, opposite)])
    assert sorted(found + rest) == sorted(shelf.keys_of(shelf.rows))


@pytest.mark.parametrize("word", [*WORDS, "%", "_", "\\%", "a_", "%b", "ß", "GRÖSSE"])
@pytest.mark.parametrize("op", ["eq", "ne", "in", "nin", "contains", "startswith"])
def test_marks_of_patterns_lists_and_other_alphabets_are_ordinary_characters(
    op, word, declared, rows, listed
):
    column = declared.samples.columns["name"]
    expected = [row["id"] for row in passing(rows, [(column, op, (word,))])]
    assert sorted(listed([parameter(column, op, (word,))])) == expected


@quiet
@given(
    op=st.sampled_from(("eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "nin")),
    day=st.dates(date(2024, 3, 29), date(2024, 4, 1))
    | st.dates(date(2024, 10, 26), date(2024, 10, 29)),
    zone=st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York")),
)
def test_a_bare_date_is_the_whole_local_day_also_when_clocks_change(op, day, zone, rows, listed):
    start, end = (
        datetime(each.year, each.month, each.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for each in (day, day + timedelta(days=1))
    )

    def passes(at):
        if op in {"ne", "nin"}:
            return at is None or not start <= at < end
        bounds = {"gt": (end, None), "gte": (start, None), "lt": (None, start), "lte": (None, end)}
        low, high = bounds.get(op, (start, end))
        return at is not None and (low is None or at >= low) and (high is None or at < high)

    text = f"{day},{day}" if op == "between" else str(day)
    expected = {row["id"] for row in rows if passes(row["seen_at"])}
    assert set(listed([(f"seen_at[{op}]", text), ("tz", zone)])) == expected


@quiet
@given(data=st.data())
def test_the_normal_form_gives_itself_again_whatever_the_order_and_spelling(data, shelf):
    chosen = data.draw(conditions(shelf.collection, shelf.rows))
    pairs = [parameter(*each) for each in chosen]
    pairs.append(("sort", data.draw(orders(shelf.collection, most=5))))
    first = shelf.get(pairs)
    applied = first.json["meta"]["applied"]
    for encode in (quote, lambda text, *_: quote(text, safe="[]")):
        text = urlencode(data.draw(st.permutations(pairs)), quote_via=encode)
        assert shelf.follow(f"{shelf.path}?{text}").data == first.data
    assert shelf.get(repeated(shelf.collection, applied)).data == first.data
    searched = shelf.client.post(f"{shelf.path}:search", json=applied, headers=shelf.headers)
    assert searched.data == first.data


def repeated(collection, applied):
    """The normal form of an answer as parameters."""
    known = collection.columns
    pairs = [
        (f"{each['field']}[{each['op']}]", text_of(known[each["field"]], each))
        for each in applied["filter"]
    ]
    pairs += [(name, ",".join(applied[name])) for name in ("sort", "fields") if applied[name]]
    pairs += [("limit", str(applied["limit"])), ("count", applied["count"])]
    return pairs + ([("tz", applied["tz"])] if applied["tz"] else [])


def text_of(column, condition):
    value = condition["value"]
    texts = value if isinstance(value, list) else [value]
    operands = texts if condition["op"] == "isnull" else list(map(column.type.parse, texts))
    return parameter(column, condition["op"], operands)[1]


def test_null_is_four_letters_for_text_and_a_hint_for_the_rest(get, rows, listed):
    expected = [row["id"] for row in rows if row["name"] == "null"]
    assert sorted(listed({"name": "null"})) == expected
    entry = get(PATH, {"number": "null"}).json["errors"][0]
    assert entry["suggestion"] == "number[isnull]=true"


def test_an_empty_value_is_the_empty_text_and_for_other_types_a_mistake(get, rows, listed):
    assert sorted(listed({"name": ""})) == [row["id"] for row in rows if row["name"] == ""]
    assert get(PATH, {"amount": ""}).status_code == 400


def test_lists_may_be_repeated_joined_and_quoted(rows, listed):
    expected = sorted(row["id"] for row in rows if row["label"] in {"a,b", "A", '"'})
    assert sorted(listed([("label[in]", '"a,b",A'), ("label[in]", '""""')])) == expected


@pytest.mark.parametrize("text", ["", ",", "a,", ",a", '"a', '"a"b', 'a"b'])
def test_a_list_with_an_empty_or_unclosed_item_is_refused(get, text):
    assert get(PATH, {"label[in]": text}).json["errors"][0]["parameter"] == "label[in]"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("number", text)
            for text in ("1_0", " 1", "\u0661", "5.0", "1e3", "0x1", "+1", "2147483648")
        ),
        *(
            ("amount", text)
            for text in ("1e3", "1_0.00", "1,000", "5€", "1.239", "NaN", "12345678901")
        ),
        *(
            ("day", text)
            for text in ("20240105", "2024-W01-1", "2024-02-30", "0001-01-01", "\u0662024-01-01")
        ),
        *(
            ("seen_at", text)
            for text in ("2024-01-05T10:00:00", "2024-01-05 10:00", "2024-01-05T25:00:00Z")
        ),
        *(("flag", text) for text in ("1", "True", "yes", "t")),
        *(("kind", text) for text in ("Alpha", "delta")),
        *(("id", text) for text in ("-1", "9" * 30, "1.0")),
        ("name", "x" * 201),
        ("name", "a\0b"),
    ],
)
def test_what_python_would_read_and_the_grammar_does_not_is_refused(get, name, text):
    response = get(PATH, {name: text})
    assert response.status_code == 400
    assert [entry["parameter"] for entry in response.json["errors"]] == [name]


def test_amounts_are_exact_text(get):
    response = get(PATH, {"amount": "999.99", "limit": "1"})
    assert {row["amount"] for row in response.json["data"]} == {"999.99"}
    assert response.json["meta"]["applied"]["filter"][0]["value"] == "999.99"
    assert Decimal("999.99") == Decimal(response.json["data"][0]["amount"])
