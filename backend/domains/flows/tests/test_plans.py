import re

import pytest
from sqlalchemy import event, text

from backend.core.database import db
from backend.domains.flows.services import readings
from backend.domains.flows.services.readings import Query
from backend.domains.flows.services.terms import Term


def search(typed, *, start=None, **filters):
    return readings.search(Query(term=Term.of(typed), **filters), start=start)


@pytest.fixture
def _many(real_database):
    """Fill the tables so far that a plan which reads all of them would cost a second."""
    db.session.execute(
        text(
            """
            insert into flow_file (name, channel, status, actor, source, options, message, flow,
                created_at_local, is_test, records_total, records_accepted, records_rejected,
                roots_total, roots_accepted, roots_rejected, readings_total, readings_accepted,
                readings_rejected, visits_total, errors_total, warnings_total)
            select n || '.uff', 'cli', 'imported', '', '', '{}', '', 'D0010',
                timestamp '2024-01-01' + n * interval '1 month', false,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
            from generate_series(1, 10) n
            """
        )
    )
    db.session.execute(
        text(
            """
            insert into flow_reading (file_id, line_number, reading_at_local, mpan, bsc_status,
                serial, serial_key, reading_type, register, value, value_text)
            select f.id, meter, f.created_at_local - interval '2 days',
                '99' || lpad(meter::text, 11, '0'), 'V', 'QA' || lpad(meter::text, 8, '0'),
                'QA' || lpad(meter::text, 8, '0'), 'R', 'S', 1, '1'
            from flow_file f, generate_series(1, 3000) meter
            """
        )
    )
    db.session.execute(text("analyze flow_file, flow_reading"))


def plans(work, options=""):
    """Return the plans of all that the work asked of the readings."""
    asked = []

    def note(_connection, _cursor, statement, parameters, *_):
        asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    work()
    event.remove(db.engine, "before_cursor_execute", note)
    connection = db.session.connection()
    return [
        "\n".join(
            row[0]
            for row in connection.exec_driver_sql(f"explain {options} {statement}", parameters)
        )
        for statement, parameters in asked
        if "flow_reading" in statement
    ]


@pytest.mark.parametrize(
    "typed", ["9900000001234", "99000000012", "QA00001234", "QA000012", "QA00"]
)
@pytest.mark.usefixtures("_many")
def test_no_search_reads_the_whole_table(typed):
    found = plans(lambda: search(typed))
    first = search(typed, has_history=True)
    found += plans(lambda: search(typed, start=first.older, has_history=True))
    assert found
    for plan in found:
        assert "Seq Scan on flow_reading" not in plan, plan
    assert any("flow_reading_mpan_reading_at_local_index" in plan for plan in found)


@pytest.mark.usefixtures("_many")
def test_history_and_one_reading_are_found_by_an_index():
    (hit, *_) = search("QA00001234").hits
    found = plans(lambda: readings.history(readings.one(file_id=hit.file_id, line_number=1234)))
    assert all("Seq Scan on flow_reading" not in plan for plan in found), found


@pytest.mark.usefixtures("_many")
def test_a_serial_that_stands_at_very_many_meters_costs_no_more_than_another():
    db.session.execute(
        text(
            """
            insert into flow_reading (file_id, line_number, reading_at_local, mpan, bsc_status,
                serial, serial_key, reading_type, register, value, value_text)
            select (select min(id) from flow_file), 10000 + n,
                timestamp '2020-01-01' + n * interval '1 minute',
                '98' || lpad((n % 500)::text, 11, '0'), 'V', '0', '0', 'R', 'S', 1, '1'
            from generate_series(1, 20000) n
            """
        )
    )
    db.session.execute(text("analyze flow_reading"))
    page = search("0")
    for start in (None, page.older):
        for plan in plans(lambda start=start: search("0", start=start), "(analyze)"):
            read = [int(rows) for rows in re.findall(r"actual time=\S+ rows=(\d+)", plan)]
            assert max(read) <= 2 * readings.PAGE + 2, plan
