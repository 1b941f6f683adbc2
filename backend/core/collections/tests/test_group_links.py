from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.collections.tests.meaning import conditions, parameter, passing
from backend.core.collections.tests.reckoning import ZONES, counted, grouped, key_name, questions

PATH = "/api/samples/aggregates"
SPRING, AUTUMN = date(2024, 3, 31), date(2024, 10, 27)
quiet = settings(
    derandomize=True,
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@quiet
@given(data=st.data())
def test_the_link_of_each_group_leads_to_exactly_its_rows(data, shelf):
    keys, _, zone, asked = data.draw(questions(shelf.collection))
    chosen = data.draw(conditions(shelf.collection, shelf.rows, most=2))
    chosen = [each for each in chosen if each[0].name != shelf.collection.currency]
    asked |= {"metrics": "count"} | dict(parameter(*each) for each in chosen)
    rows = counted(shelf.collection, passing(shelf.rows, chosen))
    groups = grouped(rows, keys, zone) if keys else {(): rows}
    answer = shelf.answer(asked, "/aggregates")["data"]
    for row in answer[:: max(1, len(answer) // 4)]:
        found = shelf.follow(f"{row['rows']}{'&' if '?' in row['rows'] else '?'}limit=200")
        assert found.status_code == 200, found.text
        names = [each[shelf.key] for each in found.json["data"]]
        expected = groups[tuple(row[key_name(*each)] for each in keys)]
        assert sorted(names) == sorted(shelf.keys_of(expected)), row["rows"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("op", ["ne", "in", "nin", "eq", "gt", "gte", "lt", "lte", "between"])
def test_the_days_of_a_filter_stay_those_of_its_zone(op, zone, get, client):
    days = {"between": f"{SPRING},{AUTUMN}", "in": f"{SPRING},{AUTUMN}"}.get(op, str(SPRING))
    narrow = {f"seen_at[{op}]": days, "tz": zone}
    listed = get("/api/samples", narrow | {"limit": 200, "fields": "id"}).json["data"]
    for by in ("kind", "day(seen_at)", "month(seen_at),kind", "year(seen_at)"):
        groups = get(PATH, narrow | {"by": by, "metrics": "count"}).json["data"]
        assert sum(each["count"] for each in groups) == len(listed)
        for each in groups[:: max(1, len(groups) // 3)]:
            assert client.get(each["rows"]).json["meta"]["count"] == each["count"], each


@pytest.mark.parametrize("op", ["gt", "gte", "lt", "lte", "eq", "ne"])
def test_a_group_that_the_filter_cuts_through_is_linked_to_what_is_left_of_it(
    op, get, client, rows
):
    middle = sorted(row["day"] for row in rows)[len(rows) // 2]
    asked = {"by": "year(day)", "metrics": "count", f"day[{op}]": middle}
    for each in get(PATH, asked).json["data"]:
        assert client.get(each["rows"]).json["meta"]["count"] == each["count"], each
