"""Statements that go to the driver by themselves."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from backend.core.database import at_once, db, first_row, transaction

END = "select pg_terminate_backend(pg_backend_pid())"
ADDED = """
    insert into outbox (id, topic, ref_id) values (gen_random_uuid(), %(name)s, gen_random_uuid())
    returning topic
"""


def in_transaction(statement, values=None):
    with transaction():
        return first_row(statement, values or {})


@pytest.mark.parametrize("ask", [in_transaction, lambda statement: at_once(statement, {})])
def test_a_lost_connection_is_told_as_one_and_replaced(real_database, ask):
    with pytest.raises(OperationalError) as lost:
        ask(END)
    assert lost.value.connection_invalidated
    assert ask("select 7") == (7,)


@pytest.mark.parametrize("ask", [in_transaction, lambda statement: at_once(statement, {})])
def test_a_mistake_is_told_as_one_and_the_next_statement_is_none(real_database, ask):
    with pytest.raises(ProgrammingError) as wrong:
        ask("select nothing_of_the_kind")
    assert not wrong.value.connection_invalidated
    assert ask("select 7") == (7,)


def test_a_statement_in_a_transaction_is_part_of_it(real_database):
    def change_and_fail():
        with transaction():
            assert first_row(ADDED, {"name": "other"}) == ("other",)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    assert counted() == 0


def test_a_statement_at_once_is_there_for_all_whatever_comes_of_the_transaction(real_database):
    def change_and_fail():
        with transaction():
            db.session.execute(text("select 1"))
            assert at_once(ADDED, {"name": "other"}) == ("other",)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_and_fail()
    assert counted() == 1


def counted():
    with transaction():
        return db.session.scalar(text("select count(*) from outbox where topic = 'other'"))
