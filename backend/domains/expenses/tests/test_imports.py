import random
from io import BytesIO
from threading import Barrier, Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from backend.core.audit import AuditEvent
from backend.core.database import db, transaction
from backend.domains.expenses.models import Expense
from backend.domains.expenses.services import imports
from backend.domains.expenses.services.imports import (
    ContradictoryImport,
    FileRefused,
    ImportRunning,
)

BAD = "\nLegal,Licence-2,12€,3/7/2024,Ines"


def stored():
    columns = Expense.departments, Expense.amount, Expense.date, Expense.member_name, Expense.id
    return [tuple(row) for row in db.session.execute(select(*columns).order_by(Expense.id))]


def count():
    return db.session.scalar(select(func.count(Expense.id)))


def counts(report):
    return report.read, report.inserted, report.unchanged, report.gone, report.bad


def test_rows_are_numbered_in_the_order_of_the_file(take_in, example):
    report = take_in(example)
    assert counts(report) == (5, 5, 0, 0, 0)
    names = [row[0] for row in stored()]
    assert names == ["Legal", "Research", "Support", "Research", "Research, Basic"]
    ids = [row[-1] for row in stored()]
    assert ids == list(range(ids[0], ids[0] + 5))


@given(
    seed=st.integers(0, 10_000), line_end=st.sampled_from(["\n", "\r\n"]), is_ended=st.booleans()
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_and_any_line_ends_add_nothing(take_in, example, seed, line_end, is_ended):
    take_in(example)
    before = stored()
    header, *rows = example.splitlines()
    random.Random(seed).shuffle(rows)
    again = take_in(line_end.join([header, *rows]) + (line_end if is_ended else ""))
    assert counts(again) == (5, 0, 5, 0, 0)
    assert stored() == before


def test_identical_rows_are_counted_apart(take_in, example):
    take_in(example)
    third = take_in(example + "\nResearch,Orion-7,800.50€,12/31/2024,Sam")
    assert counts(third) == (6, 1, 5, 0, 0)
    fewer = take_in(example)
    assert counts(fewer) == (5, 0, 5, 1, 0)


def test_an_edited_row_is_one_gone_and_one_new(take_in, example):
    take_in(example)
    report = take_in(example.replace("1400.00€", "1500.00€"))
    assert (report.inserted, report.unchanged, report.gone, report.removed) == (1, 4, 1, 0)
    assert count() == 6


def test_gone_rows_are_removed_only_when_asked(take_in, example):
    take_in(example)
    kept = {row[-1] for row in stored() if row[0] != "Legal"}
    fewer = "\n".join(line for line in example.splitlines() if not line.startswith("Legal"))
    assert take_in(fewer).gone == 1
    assert count() == 5
    report = take_in(fewer, removes_gone=True)
    assert (report.gone, report.removed) == (1, 1)
    assert {row[-1] for row in stored()} == kept


def test_nothing_of_a_file_with_a_bad_row_is_kept(take_in, example):
    with pytest.raises(FileRefused) as refusal:
        take_in(example + BAD)
    assert [(each["line"], each["column"]) for each in refusal.value.errors] == [(7, "amount")]
    assert count() == 0


def test_a_partial_import_keeps_the_good_rows(take_in, example):
    report = take_in(example + BAD, is_partial=True)
    assert counts(report) == (6, 5, 0, 0, 1)
    assert [each["code"] for each in report.errors] == ["invalid_amount"]


def test_a_file_that_cannot_be_read_to_its_end_is_never_imported_in_part(take_in, example):
    with pytest.raises(FileRefused):
        take_in(example + '\n"Legal,Licence', is_partial=True)
    assert count() == 0


def test_bad_rows_are_not_left_out_while_gone_ones_are_removed(take_in, example):
    with pytest.raises(ContradictoryImport):
        take_in(example, is_partial=True, removes_gone=True)


def test_an_import_is_in_the_audit_trail_without_what_the_file_says(take_in, example):
    take_in(example)
    query = select(AuditEvent).where(AuditEvent.action == "expenses.import")
    (event,) = db.session.scalars(query)
    assert event.after == {"read": 5, "inserted": 5, "removed": 0, "bad": 0}


def test_of_two_imports_at_once_one_is_refused(real_database, example):
    began = Barrier(2, timeout=10)

    class Slow(BytesIO):
        def read1(self, size=-1):
            if self.tell() == 0:
                began.wait()
                began.wait()
            return super().read1(size)

    def first():
        with real_database.app_context(), transaction():
            imports.import_file(Slow(example.encode()))

    thread = Thread(target=first)
    thread.start()
    began.wait()
    with pytest.raises(ImportRunning), transaction():
        imports.import_file(BytesIO(example.encode()))
    began.wait()
    thread.join()
    assert count() == 5
