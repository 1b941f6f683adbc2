import re

import pytest
from sqlalchemy import event, text

from backend.core.database import db
from backend.domains.flows.services import readings
from backend.domains.flows.services.readings import Query
from backend.domains.flows.services.terms import Term

API = "/api/flows"
MPAN = "9900123456780"


@pytest.fixture
def staff(signed_in):
    return signed_in("staff")


@pytest.fixture
def get(staff):
    def ask(path, **parameters):
        answer = staff.get(f"{API}/{path}", query_string=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json["data"]

    return ask


@pytest.fixture
def contradicted(bring):
    """Corrections, withdrawals before and after, an orphan, and a file of test data."""
    at = "2025-04-01"
    bring(
        {"value_text": "1.0"},
        {"value_text": "2.0", "register": "N"},
        {"value_text": "3.0", "reading_at_local": at},
        created="2025-04-02T06:15",
    )
    bring(
        {"value_text": "1.5"},
        {"reading_type": "W", "register": "N", "value_text": "0"},
        {"reading_type": "W", "register": "X", "value_text": "0"},
        created="2025-04-03T06:15",
    )
    bring(
        {"value_text": "2.5", "register": "N"},
        {"value_text": "0.5", "is_flag_valid": False},
        created="2025-04-01T06:15",
    )
    bring({"value_text": "9.9"}, created="2025-04-05T06:15", is_test=True)


def test_every_reading_has_the_standing_that_the_search_gives_it(contradicted, get):
    def told(rows):
        return sorted(
            (each["value_text"], each["reading_type"], each["is_superseded"], each["is_withdrawn"])
            for each in rows
        )

    hits = readings.search(Query(term=Term.of(MPAN), has_history=True)).hits
    shown = [{name: getattr(hit, name) for name in hit._fields} for hit in hits]
    listed = get("readings")
    assert told(listed) == told(shown)
    assert any(each["is_superseded"] for each in listed)
    assert any(each["is_withdrawn"] for each in listed)
    assert "9.9" not in {each["value_text"] for each in listed}


def test_a_reading_is_named_by_its_file_and_line(contradicted, get, staff):
    for each in get("readings"):
        key = f"{each['file_id']}-{each['line_number']}"
        assert each["id"] == key
        assert get(f"readings/{key}") == each
        assert get("readings", id=key) == [each]
    for wrong in ("1", "0-0", "x-1", "9999999999999999999-1", "1-99999999999"):
        assert staff.get(f"{API}/readings/{wrong}").status_code == 404


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("mpan", "99 0012 3456 780"),
        ("mpan[startswith]", "99 0012"),
        ("serial_key[startswith]", "qa 1"),
        ("serial_key", "qa 1000001"),
    ],
)
def test_blanks_and_case_do_not_count_in_what_names_a_meter(take_in, example, get, name, typed):
    take_in(example)
    assert get("readings", **{name: typed, "limit": "1"})
    assert get("readings", **{name: typed + "%"}) == []


def test_a_day_is_the_whole_of_it_on_the_clock_of_the_reading(bring, get, staff):
    for moment in ("2025-03-30T23:59:59", "2025-03-31T00:00", "2025-03-31T23:30", "2025-04-01"):
        bring({"reading_at_local": moment})
    found = get("readings", reading_at_local="2025-03-31", sort="reading_at_local")
    assert [each["reading_at_local"] for each in found] == [
        "2025-03-31T00:00:00",
        "2025-03-31T23:30:00",
    ]
    assert len(get("readings", **{"reading_at_local[lte]": "2025-03-31"})) == 3
    assert len(get("readings", **{"reading_at_local[gte]": "2025-03-31T23:30:00"})) == 2
    assert len(get("readings", **{"reading_at_local[between]": "2025-03-31,2025-03-31"})) == 2
    for wrong in ("2025-03-31T00:00:00Z", "2025-02-30", "2025-03-31T25:00:00"):
        answer = staff.get(f"{API}/readings", query_string={"reading_at_local": wrong})
        assert answer.status_code == 400, wrong
    mixed = {"reading_at_local[between]": "2025-03-31,2025-04-01T00:00:00"}
    assert staff.get(f"{API}/readings", query_string=mixed).status_code == 400
    assert (
        staff.get(f"{API}/readings?reading_at_local=2025-03-31&tz=Europe/London").status_code == 400
    )


def test_findings_of_a_file_are_a_filter_away(take_in, example, get):
    broken = example.swap(5, "1987.5", "-1.0").swap(10, "|05|", "||")
    file_id = take_in(broken).file_id
    (file,) = get("files", status="imported_with_errors")
    found = get("findings", file_id=file_id, severity="error")
    assert len(found) == file["errors_total"] > 0
    assert get(f"findings/{found[0]['id']}") == found[0]
    assert get(f"files/{file_id}") == file


def test_cursors_lead_through_all_readings_and_back(bring, staff):
    bring(*[{"register": str(each)} for each in range(7)])
    first = staff.get(f"{API}/readings?limit=3").json
    second = staff.get(f"{API}/readings?limit=3&cursor={first['page']['next']}").json
    third = staff.get(f"{API}/readings?limit=3&cursor={second['page']['next']}").json
    lines = [[each["line_number"] for each in page["data"]] for page in (first, second, third)]
    assert lines == [[10, 9, 8], [7, 6, 5], [4]]
    back = staff.get(f"{API}/readings?limit=3&cursor={third['page']['prev']}").json
    assert back["data"] == second["data"]


@pytest.fixture
def _many(app):
    db.session.execute(
        text(
            "insert into flow_file (name, channel, status, actor, source, options, message, flow,"
            " created_at_local, is_test, records_total, records_accepted, records_rejected,"
            " roots_total, roots_accepted, roots_rejected, readings_total, readings_accepted,"
            " readings_rejected, visits_total, errors_total, warnings_total)"
            " select n || '.uff', 'cli', 'imported', '', '', '{}', '', 'D0010',"
            " timestamp '2024-01-01' + n * interval '1 month', false,"
            " 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from generate_series(1, 10) n"
        )
    )
    db.session.execute(
        text(
            "insert into flow_reading (file_id, line_number, reading_at_local, mpan, bsc_status,"
            " serial, serial_key, reading_type, register, value, value_text)"
            " select f.id, meter, f.created_at_local - interval '2 days',"
            " '99' || lpad(meter::text, 11, '0'), 'V', 'QA' || lpad(meter::text, 8, '0'),"
            " 'QA' || lpad(meter::text, 8, '0'), 'R', 'S', 1, '1'"
            " from flow_file f, generate_series(1, 3000) meter"
        )
    )
    db.session.execute(text("analyze flow_file, flow_reading"))


@pytest.mark.usefixtures("_many")
@pytest.mark.parametrize(
    "query",
    [
        "",
        "mpan=9900000000007",
        "mpan=9900000000007&sort=-reading_at_local",
        "mpan[startswith]=99000000001&sort=mpan",
        "serial_key=QA00000007",
        "serial_key[startswith]=QA0000001",
        "sort=mpan",
        "file_id=FILE",
        "file_id=FILE&is_superseded=false",
        "id=FILE-7",
    ],
)
def test_what_people_ask_of_many_readings_is_a_range_of_an_index(staff, query):
    file_id = db.session.scalar(text("select max(id) from flow_file"))
    asked = []

    def note(_connection, _cursor, statement, parameters, *_):
        asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    first = staff.get(f"{API}/readings?count=none&{query.replace('FILE', str(file_id))}")
    assert first.status_code == 200, first.text
    assert first.json["data"]
    if cursor := first.json["page"]["next"]:
        address = f"{API}/readings?count=none&{query.replace('FILE', str(file_id))}&cursor={cursor}"
        assert staff.get(address).json["data"]
    event.remove(db.engine, "before_cursor_execute", note)
    connection = db.session.connection()
    for statement, parameters in asked:
        if "flow_reading" in statement:
            explained = connection.exec_driver_sql(f"explain {statement}", parameters)
            plan = "\n".join(explained.scalars())
            assert not re.search(r"Seq Scan on flow_reading", plan), plan


def test_the_console_leads_from_findings_to_their_file_and_from_readings_to_theirs(
    take_in, example, staff
):
    file_id = take_in(example.swap(5, "1987.5", "-1.0")).file_id
    findings = staff.get(f"/admin/flows/findings?file_id={file_id}").text
    assert f'href="/admin/flows/files/{file_id}"' in findings
    listed = staff.get("/admin/flows/occurrences?mpan[startswith]=99 0012").text
    (key, *_) = re.findall(r'href="/admin/flows/occurrences/([\d-]+)"', listed)
    shown = staff.get(f"/admin/flows/occurrences/{key}").text
    assert f'href="/admin/flows/files/{file_id}"' in shown
