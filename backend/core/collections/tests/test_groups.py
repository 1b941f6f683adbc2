import csv
import io
import itertools
import json
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.collections.buckets import first_day, following

PATH = "/api/samples/aggregates"
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York")
quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def rounded(value, places):
    step = Decimal(1).scaleb(-places)
    return format(value.quantize(step, ROUND_HALF_EVEN), "f")


def bucket(name, value, zone):
    """The label of a bucket, said in Python."""
    if value is None:
        return None
    local = value.astimezone(ZoneInfo(zone)) if isinstance(value, datetime) else value
    if name == "hour":
        start = local.replace(minute=0, second=0, microsecond=0)
        return start.isoformat(timespec="minutes")
    if name == "week":
        year, week, _ = local.isocalendar()
        return f"{year}-W{week:02}"
    quarter = f"{local.year}-Q{(local.month + 2) // 3}"
    forms = {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d"}
    return quarter if name == "quarter" else local.strftime(forms[name])


def grouped(rows, keys, zone):
    """Group in Python; each key is a column or a pair of bucket and column."""

    def of(row):
        return tuple(
            bucket(key[0], row[key[1]], zone) if isinstance(key, tuple) else row[key]
            for key in keys
        )

    found = {}
    for row in rows:
        found.setdefault(of(row), []).append(row)
    return found


def wire(value):
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def figures(members, total):
    amounts = [row["amount"] for row in members]
    numbers = [row["number"] for row in members if row["number"] is not None]
    return {
        "count": len(members),
        "count_name": sum(row["name"] is not None for row in members),
        "count_distinct_label": len({row["label"] for row in members}),
        "sum_amount": rounded(sum(amounts, Decimal(0)), 2),
        "avg_amount": rounded(sum(amounts) / len(amounts), 4) if amounts else None,
        "min_amount": rounded(min(amounts), 2) if amounts else None,
        "max_number": max(numbers, default=None),
        "sum_number": sum(numbers),
        "share_amount": rounded(sum(amounts, Decimal(0)) / total, 4) if total else None,
    }


METRICS = (
    "count,count(name),count_distinct(label),sum(amount),avg(amount),min(amount),max(number),"
    "sum(number),share(amount)"
)
KEYS = (
    *("name", "label", "kind", "flag", "number", "paid_on", "seen_at"),
    *((unit, "day") for unit in ("year", "quarter", "month", "week", "day")),
    *((unit, "seen_at") for unit in ("year", "month", "week", "day", "hour")),
)


@quiet
@given(
    keys=st.lists(st.sampled_from(KEYS), max_size=3, unique=True),
    zone=st.sampled_from(ZONES),
    low=st.sampled_from((None, Decimal("1.00"), Decimal(500))),
)
def test_groups_are_those_of_python_with_their_totals(keys, zone, low, get, rows):
    kept = [
        row for row in rows if row["currency"] == "EUR" and (low is None or row["amount"] >= low)
    ]
    parameters = {"metrics": METRICS, "totals": "true", "currency": "EUR"}
    parameters |= {"amount[gte]": low} if low is not None else {}
    if keys:
        parameters["by"] = ",".join(f"{k[0]}({k[1]})" if isinstance(k, tuple) else k for k in keys)
    if any(isinstance(key, tuple) and key[1] == "seen_at" for key in keys):
        parameters["tz"] = zone
    response = get(PATH, parameters)
    assert response.status_code == 200, response.text
    names = [f"{key[1]}_{key[0]}" if isinstance(key, tuple) else key for key in keys]
    total = sum(row["amount"] for row in kept)
    expected = {
        tuple(map(wire, key)): figures(members, total)
        for key, members in grouped(kept, keys, zone).items()
    }
    if not keys:
        expected = {(): figures(kept, total)}
    found = {tuple(row.pop(name) for name in names): row for row in response.json["data"]}
    for row in found.values():
        row.pop("rows")
    assert found == expected
    assert response.json["totals"] == figures(kept, total)


@quiet
@given(
    keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True),
    zone=st.sampled_from(ZONES),
    narrow=st.sampled_from(
        (
            {},
            {"day[gte]": "2024-01-03", "day[lt]": "2024-03-02"},
            {"day[between]": "2024-01-03,2024-02-11", "seen_at[gt]": "2024-03-30"},
            {"seen_at[between]": "2024-03-31,2024-10-27", "label[in]": 'a,A,"a,b",""'},
            {"name[ne]": "a", "seen_at[lte]": "2024-03-31"},
        )
    ),
)
def test_the_link_of_each_group_leads_to_exactly_its_rows(keys, zone, narrow, get, client):
    by = ",".join(f"{key[0]}({key[1]})" if isinstance(key, tuple) else key for key in keys)
    parameters = narrow | {"by": by, "metrics": "count"}
    if "seen_at" in by or any("seen_at" in name for name in narrow):
        parameters["tz"] = zone
    if "tz" in parameters and "seen_at)" not in by and not any("seen_at" in n for n in narrow):
        del parameters["tz"]
    groups = get(PATH, parameters)
    assert groups.status_code == 200, groups.text
    assert sum(row["count"] for row in groups.json["data"]) == len(
        get(
            "/api/samples",
            {
                k: v
                for k, v in parameters.items()
                if k in narrow or (k == "tz" and any("seen_at" in n for n in narrow))
            }
            | {"limit": 200},
        ).json["data"]
    )
    for row in groups.json["data"][::7]:
        meta = client.get(row["rows"]).json["meta"]
        assert meta["count"] == row["count"], row["rows"]


def test_filling_adds_only_groups_without_rows(get):
    parameters = {"by": "kind,week(day)", "metrics": "count,sum(number),avg(number)"}
    plain = get(PATH, parameters).json["data"]
    filled = get(PATH, parameters | {"fill": "zero"}).json["data"]
    added = [row for row in filled if row not in plain]
    assert [row for row in filled if row in plain] == plain
    assert all(row["count"] == 0 and row["sum_number"] == 0 for row in added)
    assert {row["avg_number"] for row in added} <= {None}
    weeks = {row["day_week"] for row in filled}
    assert len(filled) == len(weeks) * 3


def test_filling_goes_from_one_bound_of_the_filter_to_the_other(get, client):
    parameters = {"by": "month(day)", "metrics": "count", "fill": "zero"}
    bounds = {"day[gte]": "2023-11-30", "day[lt]": "2024-06-01"}
    rows = get(PATH, parameters | bounds).json["data"]
    labels = ["2023-11", "2023-12", "2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]
    assert [row["day_month"] for row in rows] == labels
    assert rows[0]["count"] == 0
    assert client.get(rows[0]["rows"]).json["data"] == []


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
@given(
    by=st.sampled_from(("label", "kind,month(day)", "name,kind")),
    top=st.integers(1, 12),
    sort=st.sampled_from(("-count", "sum_number,-count", "-count_distinct_label")),
)
def test_the_first_groups_and_the_other_ones_are_the_totals(by, top, sort, get):
    parameters = {"by": by, "metrics": "count,sum(number),count_distinct(label)", "sort": sort}
    answer = get(PATH, parameters | {"top": top, "totals": "true"}).json
    every = get(PATH, parameters).json["data"]
    assert answer["data"] == every[:top]
    other = answer["other"] or {"groups": 0, "count": 0, "sum_number": 0}
    assert other["groups"] == max(0, len(every) - top)
    for name in ("count", "sum_number"):
        assert sum(row[name] for row in answer["data"]) + other[name] == answer["totals"][name]


def test_having_keeps_the_groups_whose_figures_pass(get):
    parameters = {"by": "label", "metrics": "count,avg(number)"}
    every = get(PATH, parameters).json["data"]
    found = get(PATH, parameters | {"having[count][gte]": "3", "having[count][ne]": "5"}).json
    assert found["data"] == [row for row in every if row["count"] >= 3 and row["count"] != 5]
    first = {"metric": "count", "op": "ne", "value": "5"}
    assert found["meta"]["applied"]["having"][0] == first


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
