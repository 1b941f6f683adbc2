import csv
import io
import itertools
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.collections.buckets import first_day, following
from backend.core.collections.grouping import HAVING
from backend.core.collections.tests.meaning import (
    conditions,
    holds,
    parameter,
    passing,
)
from backend.core.collections.tests.reckoning import (
    ZONES,
    any_day,
    buckets_between,
    counted,
    figures,
    grouped,
    key_name,
    keys_of,
    midnight,
    name_of,
    parameters_of,
    questions,
)

PATH = "/api/samples/aggregates"
quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def split(row, keys):
    """The group's key and its figures, without the link to its rows."""
    key = tuple(row.pop(key_name(*each)) for each in keys)
    return key, {name: value for name, value in row.items() if name != "rows"}


@quiet
@given(data=st.data())
def test_groups_are_those_of_python_with_their_totals(data, shelf):
    keys, metrics, zone, asked = data.draw(questions(shelf.collection))
    chosen = data.draw(st.just([]) | conditions(shelf.collection, shelf.rows, most=1))
    chosen = [each for each in chosen if each[0].name != shelf.collection.currency]
    rows = counted(shelf.collection, passing(shelf.rows, chosen))
    asked |= dict(parameter(*each) for each in chosen) | {"totals": "true"}
    answer = shelf.answer(asked, "/aggregates")
    groups = grouped(rows, keys, zone) if keys else {(): rows}
    expected = {key: figures(metrics, members, rows) for key, members in groups.items()}
    assert dict(split(row, keys) for row in answer["data"]) == expected
    assert answer["totals"] == figures(metrics, rows, rows)
    assert answer["meta"]["group_count"] == len(expected)


@quiet
@given(data=st.data())
def test_filling_adds_every_bucket_between_the_bounds_and_only_groups_without_rows(data, shelf):
    times = [each for each in keys_of(shelf.collection) if each[0]]
    if not times:
        return
    unit, column = data.draw(st.sampled_from(times))
    plain = [each for each in keys_of(shelf.collection) if not each[0]]
    others = data.draw(st.lists(st.sampled_from(plain), max_size=1)) if plain else []
    keys, zone = [*others, (unit, column)], data.draw(st.sampled_from(ZONES))
    metrics = [("count", None), ("count", column)]
    asked = parameters_of(shelf.collection, keys, metrics, zone) | {"fill": "zero"}
    rows = counted(shelf.collection, shelf.rows)
    low, high = sorted(data.draw(st.tuples(any_day(rows, column), any_day(rows, column))))
    kind = data.draw(st.sampled_from(("open", "gte", "between")))
    if kind != "open":
        end = f",{high}" if kind == "between" else ""
        asked |= {f"{column.name}[{kind}]": f"{low}{end}"}
    rows = [row for row in rows if within(row[column.name], (kind, low, high), zone)]
    span = spanned([row[column.name] for row in rows], unit, (kind, low, high), zone)
    groups = grouped(rows, keys, zone)
    wanted = set(groups) | {(*key[:-1], each) for key in groups for each in span}
    wanted |= {(each,) for each in span} if not others else set()
    response = shelf.get(asked, "/aggregates")
    if len(span) > 1000 or len(wanted) > 1000:
        assert response.json["errors"][0]["code"] == "too_many_groups"
        return
    found = dict(split(row, keys) for row in response.json["data"])
    assert set(found) == wanted
    assert len(found) == len(response.json["data"])
    for key, figures_ in found.items():
        assert figures_ == figures(metrics, groups.get(key, []), rows)


def within(value, bounds, zone):
    kind, low, high = bounds
    if kind == "open" or value is None:
        return kind == "open"
    day = value.astimezone(ZoneInfo(zone)).date() if isinstance(value, datetime) else value
    return low <= day and (kind == "gte" or day <= high)


def spanned(values, unit, bounds, zone):
    """The labels of the buckets between the bounds, or between the first row and the last."""
    kind, low, high = bounds
    present = sorted(each for each in values if each is not None)
    if kind != "between" and not present:
        return set()
    is_instant = unit == "hour" or any(isinstance(each, datetime) for each in present)
    first = low if kind != "open" else present[0]
    last = high if kind == "between" else present[-1]
    if is_instant and kind != "open":
        first = midnight(low, zone)
    if is_instant and kind == "between":
        last = midnight(high + timedelta(days=1), zone) - timedelta(microseconds=1)
    return buckets_between(unit, first, last, zone)


@pytest.mark.parametrize(
    ("day", "hours", "marks"),
    [
        ("2024-03-31", 23, ("T01:00+01:00", "T03:00+02:00")),
        ("2024-10-27", 25, ("T02:00+02:00", "T02:00+01:00")),
    ],
)
def test_hours_are_right_on_the_days_when_clocks_change(get, day, hours, marks):
    parameters = {"by": "hour(seen_at)", "metrics": "count", "fill": "zero", "tz": "Europe/Berlin"}
    rows = get(PATH, parameters | {"seen_at": day}).json["data"]
    labels = [row["seen_at_hour"] for row in rows]
    assert len(labels) == hours
    assert [labels.index(day + mark) for mark in marks] == sorted(
        labels.index(day + mark) for mark in marks
    )


def test_rows_without_a_time_stay_a_group_of_their_own_when_gaps_are_filled(get, rows):
    parameters = {"by": "day(seen_at)", "metrics": "count", "fill": "zero"}
    found = get(PATH, parameters | {"seen_at[isnull]": "true"}).json["data"]
    assert [row["count"] for row in found] == [sum(row["seen_at"] is None for row in rows)]


@quiet
@given(data=st.data(), top=st.integers(1, 12))
def test_the_first_groups_and_the_other_ones_are_the_totals(data, top, shelf):
    keys, metrics, zone, asked = data.draw(questions(shelf.collection, least=1))
    asked["sort"] = "-" + name_of(*data.draw(st.sampled_from(metrics)))
    every = shelf.answer(asked, "/aggregates")["data"]
    answer = shelf.answer(asked | {"top": top, "totals": "true"}, "/aggregates")
    assert answer["data"] == every[:top]
    rows = counted(shelf.collection, shelf.rows)
    groups = grouped(rows, keys, zone)
    rest = [groups[split(row, keys)[0]] for row in every[top:]]
    together = {"groups": len(rest)} | figures(metrics, list(chain(*rest)), rows)
    assert answer["other"] == (together if rest else None)
    assert answer["totals"] == figures(metrics, rows, rows)


@quiet
@given(data=st.data(), op=st.sampled_from(HAVING))
def test_having_keeps_the_groups_whose_figures_pass_and_leaves_the_totals_alone(data, op, shelf):
    _, metrics, _, asked = data.draw(questions(shelf.collection, least=1))
    metric = data.draw(
        st.sampled_from([m for m in metrics if m[0] not in {"min", "max"}] or [("count", None)])
    )
    if metric not in metrics:
        asked["metrics"] += ",count"
    every = shelf.answer(asked | {"totals": "true"}, "/aggregates")
    name = name_of(*metric)
    values = [row[name] for row in every["data"] if row[name] is not None] or ["0"]
    operands = sorted(data.draw(st.tuples(*[st.sampled_from(values)] * 2)), key=Decimal)
    text = ",".join(map(str, operands)) if op == "between" else str(operands[0])
    found = shelf.answer(asked | {"totals": "true", f"having[{name}][{op}]": text}, "/aggregates")
    numbers = [Decimal(each) for each in operands]
    assert found["data"] == [row for row in every["data"] if passes(op, row[name], numbers)]
    assert found["totals"] == every["totals"]
    (applied,) = found["meta"]["applied"]["having"]
    assert (applied["metric"], applied["op"]) == (name, op)


def passes(op, value, numbers):
    return holds(
        op, None if value is None else Decimal(value), numbers[: 2 if op == "between" else 1]
    )


def test_groups_are_sorted_by_keys_and_figures_with_nulls_last(get):
    parameters = {"by": "name,flag", "metrics": "count"}
    every = get(PATH, parameters).json["data"]

    def last(value):
        return (value is None, "" if value is None else str(value))

    assert every == sorted(every, key=lambda row: (last(row["name"]), last(row["flag"])))
    by_count = get(PATH, parameters | {"sort": "-count"}).json["data"]
    counts = [row["count"] for row in by_count]
    assert counts == sorted(counts, reverse=True)
    for _, tied in itertools.groupby(by_count, key=lambda row: row["count"]):
        same = list(tied)
        assert same == sorted(same, key=lambda row: (last(row["name"]), last(row["flag"])))


def test_without_keys_there_is_one_grand_total_also_over_nothing(get):
    (row,) = get(PATH, {"id": 0, "metrics": "count,sum(number),avg(number),max(number)"}).json[
        "data"
    ]
    assert row | {"rows": None} == {
        "count": 0,
        "sum_number": 0,
        "avg_number": None,
        "max_number": None,
        "rows": None,
    }


def test_an_average_in_the_middle_is_rounded_to_the_even_digit(get, owner_connection, table):
    row = {"kind": "beta", "day": date(2024, 1, 1), "currency": "EUR"}
    cents = [("down", 1), ("up", 3)] + [("down", 0), ("up", 0)] * 7
    rows = [
        row | {"id": 3000 + at, "label": label, "amount": Decimal(number) / 100}
        for at, (label, number) in enumerate(cents)
    ]
    with owner_connection.begin():
        owner_connection.execute(table.sample.insert(), rows)
    try:
        asked = {"by": "label", "label[in]": "down,up", "metrics": "avg(amount)", "currency": "EUR"}
        found = get(PATH, asked).json["data"]
    finally:
        with owner_connection.begin():
            owner_connection.execute(table.sample.delete().where(table.sample.c.id >= 3000))
    assert [(each["label"], each["avg_amount"]) for each in found] == [
        ("down", "0.0012"),
        ("up", "0.0038"),
    ]


def test_amounts_of_several_currencies_are_not_added(get):
    entry = get(PATH, {"by": "kind", "metrics": "sum(amount)"}).json["errors"][0]
    assert (entry["parameter"], entry["code"]) == ("metrics", "mixed_currencies")
    assert get(PATH, {"by": "kind,currency", "metrics": "sum(amount)"}).status_code == 200
    one = get(PATH, {"currency": "EUR", "metrics": "sum(amount)"}).json
    assert one["meta"]["currency"] == "EUR"


def test_too_many_groups_and_buckets_are_refused_and_never_cut(get):
    parameters = {"by": "hour(seen_at)", "metrics": "count", "fill": "zero"}
    response = get(PATH, parameters | {"seen_at[between]": "2000-01-01,2030-01-01"})
    assert response.json["errors"][0]["code"] == "too_many_groups"


def test_files_of_groups_carry_the_same_rows(get):
    parameters = {"by": "label,month(day)", "metrics": "count,max(number)"}
    rows = get(PATH, parameters).json["data"]
    lines = get(PATH, parameters | {"format": "ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == rows
    text = get(PATH, parameters, headers={"Accept": "text/csv"}).text
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    plain = [row | {"label": row["label"].removeprefix("'")} for row in read]
    shown = [{n: "" if v is None else str(v) for n, v in row.items()} for row in rows]
    assert plain == shown


@pytest.mark.parametrize("year", range(2014, 2027))
def test_weeks_at_new_year_are_those_of_iso(year):
    for offset in range(-5, 8):
        day = date(year, 1, 1) + timedelta(days=offset)
        start = first_day("week", day)
        assert start.isocalendar()[:2] == day.isocalendar()[:2]
        assert start.weekday() == 0
        assert following("week", start) == start + timedelta(days=7)
