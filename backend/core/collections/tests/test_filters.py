from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PATH = "/api/samples"
quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def item(text):
    return '"' + text.replace('"', '""') + '"' if text == "" or set(text) & {",", '"'} else text


MEANINGS = {
    "eq": lambda value, operands: value == operands[0],
    "gt": lambda value, operands: value > operands[0],
    "gte": lambda value, operands: value >= operands[0],
    "lt": lambda value, operands: value < operands[0],
    "lte": lambda value, operands: value <= operands[0],
    "between": lambda value, operands: operands[0] <= value <= operands[1],
    "in": lambda value, operands: value in operands,
    "contains": lambda value, operands: operands[0].lower() in value.lower(),
    "startswith": lambda value, operands: value.lower().startswith(operands[0].lower()),
}


def holds(op, value, operands):
    """What each operator means, said in Python."""
    if op == "isnull":
        return (value is None) is operands[0]
    if op in {"ne", "nin"}:
        return value not in operands
    return value is not None and MEANINGS[op](value, operands)


def near(column, rows):
    """Values that occur, values beside them, and values of another kind altogether."""
    present = [row[column.name] for row in rows if row[column.name] is not None]
    kind = column.type.name
    more = {
        "text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3),
        "integer": st.integers(-(2**31), 2**31 - 1),
        "money": st.decimals(-(10**9), 10**9, places=2),
        "decimal": st.decimals(-999, 999, places=4),
        "date": st.dates(date(1, 1, 3), date(9999, 12, 28)),
        "timestamp": st.datetimes(
            datetime(1, 1, 3),  # noqa: DTZ001  hypothesis adds the zone
            datetime(9999, 12, 28),  # noqa: DTZ001
            timezones=st.just(UTC),
        ),
        "id": st.integers(0, 2**31 - 1),
        "reference": st.integers(0, 9),
    }
    return st.sampled_from(present) | more.get(kind, st.nothing())


def operands_of(column, op, rows):
    if op == "isnull":
        return st.tuples(st.booleans())
    value = near(column, rows)
    if op == "between":
        return st.tuples(value, value).map(lambda pair: tuple(sorted(pair)))
    if op in {"in", "nin"}:
        return st.lists(value, min_size=1, max_size=5).map(tuple)
    return st.tuples(value)


def parameter(column, op, operands):
    if op == "isnull":
        texts = ["true" if operands[0] else "false"]
    else:
        texts = [column.type.wire(each) for each in operands]
    if op in {"in", "nin", "between"}:
        texts = [",".join(map(item, texts))]
    return (column.name if op == "eq" else f"{column.name}[{op}]", texts[0])


@quiet
@given(data=st.data())
def test_every_operator_is_the_filter_that_python_would_apply(data, declared, rows, listed):
    columns = list(declared.samples.columns.values())
    conditions = {}
    for column in data.draw(st.lists(st.sampled_from(columns), min_size=1, max_size=3)):
        op = data.draw(st.sampled_from(column.operators))
        conditions[column.name, op] = (column, data.draw(operands_of(column, op, rows)))
    pairs = [parameter(column, op, given_) for (_, op), (column, given_) in conditions.items()]
    expected = {
        row["id"]
        for row in rows
        if all(holds(op, row[name], given_) for (name, op), (_, given_) in conditions.items())
    }
    assert set(listed(pairs)) == expected


@quiet
@given(data=st.data())
def test_an_operator_and_its_opposite_share_out_the_rows(data, declared, rows, listed):
    column = data.draw(st.sampled_from(list(declared.samples.columns.values())))
    pairs = [
        (op, other)
        for op, other in (("eq", "ne"), ("in", "nin"), ("isnull", "isnull"))
        if op in column.operators
    ]
    op, other = data.draw(st.sampled_from(pairs))
    operands = data.draw(operands_of(column, op, rows))
    opposite = (not operands[0],) if op == "isnull" else operands
    found = listed([parameter(column, op, operands)])
    rest = listed([parameter(column, other, opposite)])
    assert sorted(found + rest) == [row["id"] for row in rows]


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
def test_the_normal_form_gives_itself_again_whatever_the_order_and_spelling(
    data, declared, rows, client, get
):
    columns = list(declared.samples.columns.values())
    chosen = data.draw(st.lists(st.sampled_from(columns), min_size=1, max_size=3, unique=True))
    pairs = []
    for column in chosen:
        op = data.draw(st.sampled_from(column.operators))
        pairs.append(parameter(column, op, data.draw(operands_of(column, op, rows))))
    pairs.append(
        ("sort", data.draw(st.sampled_from(("-amount,name", "day", "seen_at:nullsfirst"))))
    )
    first = get(PATH, pairs)
    again = get(PATH, data.draw(st.permutations(pairs)))
    raw = "&".join(
        f"{name}={value}" for name, value in pairs if value.isascii() and value.isalnum()
    )
    assert first.data == again.data
    if raw.count("&") == len(pairs) - 1:
        assert client.get(f"{PATH}?{raw}").data == first.data
    searched = client.post(f"{PATH}:search", json=first.json["meta"]["applied"])
    assert searched.data == first.data


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
