import pytest
from sqlalchemy.exc import InternalError, OperationalError, ProgrammingError

from backend.app import create_app
from backend.core.database import MOST_KEPT, reading

END = "select pg_terminate_backend(pg_backend_pid())"
ONE = "select pg_backend_pid()"


@pytest.fixture
def _context(real_database):
    with real_database.app_context():
        yield


def ask(statement):
    with reading(seconds=5) as cursor:
        return cursor, cursor.execute(statement).fetchall()


@pytest.mark.usefixtures("_context")
def test_a_lost_connection_is_told_as_one_and_replaced():
    _, before = ask(ONE)
    with pytest.raises(OperationalError) as lost:
        ask(END)
    assert lost.value.connection_invalidated
    _, after = ask(ONE)
    assert after != before


@pytest.mark.usefixtures("_context")
def test_a_mistake_leaves_the_connection_as_it_was():
    _, before = ask(ONE)
    with pytest.raises(ProgrammingError) as wrong:
        ask("select nothing_of_the_kind")
    assert not wrong.value.connection_invalidated
    _, after = ask(ONE)
    assert after == before


@pytest.mark.usefixtures("_context")
def test_a_cursor_is_kept_unless_it_holds_many_rows():
    first, _ = ask(ONE)
    second, _ = ask(f"select generate_series(0, {MOST_KEPT})")
    assert second is first
    third, _ = ask(ONE)
    assert third is not first
    assert third.connection is first.connection


@pytest.mark.usefixtures("_context")
def test_what_is_read_is_never_written():
    with pytest.raises(InternalError, match="read-only"):
        ask("delete from expense")


def test_without_a_database_a_list_is_unavailable():
    app = create_app(database_url="postgresql://nobody@127.0.0.1:1/nowhere")
    response = app.test_client().get("/api/expenses?count=none")
    assert (response.status_code, response.json["type"]) == (503, "/problems/unavailable")
