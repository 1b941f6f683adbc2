import json
import stat

import pytest

from environments.local import sharing
from environments.local.postgres import Postgres
from environments.local.sharing import NotReady, Shared, State, Taken


@pytest.fixture
def shared(postgres):
    return Shared(postgres, variables=lambda: {"DATABASE_URL": postgres.url()})


@pytest.fixture
def beside(shared):
    """The same servers, as another process sees them."""
    return Shared(Postgres(shared.folder), variables=dict)


def test_the_server_runs_as_long_as_the_last_one_needs_it(shared, beside):
    prepared = []
    with shared.borrowed(prepare=prepared.append) as first:
        with beside.borrowed(prepare=prepared.append) as second:
            assert second == first
            assert beside.server.answers()
        assert shared.server.answers()
    assert not shared.server.answers()
    assert shared.state is None
    assert prepared == [first.variables]


def test_whoever_started_it_may_leave_before_the_others(shared, beside):
    first = shared.borrowed()
    first.__enter__()
    with beside.borrowed():
        first.__exit__(None, None, None)
        assert beside.server.answers()
    assert not beside.server.answers()


def test_a_server_that_could_not_be_prepared_is_stopped(shared):
    with pytest.raises(ZeroDivisionError), shared.borrowed(prepare=lambda _: 1 / 0):
        pass
    assert shared.server.process() is None
    assert shared.state is None


def test_what_a_killed_command_left_running_is_used_and_stopped(shared, beside):
    shared.server.start()
    shared.state = State(variables={}, port=shared.server.port)
    with beside.borrowed(prepare=lambda _: pytest.fail("It is prepared already.")):
        assert beside.server.port == shared.server.port
    assert not shared.server.answers()


def test_a_server_that_died_is_started_again_for_the_next_one(shared, beside):
    with shared.borrowed():
        shared.server.process().kill()
        with beside.borrowed():
            assert beside.server.answers()


def test_only_one_owns_the_servers(shared, beside):
    with shared.owned(), pytest.raises(Taken), beside.owned():
        pass
    with beside.owned():
        pass


def test_commands_use_what_the_owner_started_and_leave_it_running(shared, beside):
    with shared.owned():
        shared.server.start()
        mine = State(variables={"A": "1"}, port=shared.server.port, address="http://here")
        shared.state = mine
        with beside.borrowed() as state:
            assert state == mine
        assert shared.server.answers()


def test_commands_do_not_wait_for_ever_for_an_owner_that_does_not_get_ready(
    shared, beside, monkeypatch
):
    monkeypatch.setattr(sharing, "PATIENCE", 0.1)
    with shared.owned(), pytest.raises(NotReady), beside.borrowed():
        pass


def test_a_database_that_a_person_named_is_used_as_it_is(shared, beside):
    with shared.owned():
        shared.state = State(
            variables={"DATABASE_URL": "postgresql://elsewhere/"}, address="http://x"
        )
        with beside.borrowed() as state:
            assert state.variables == {"DATABASE_URL": "postgresql://elsewhere/"}


def test_the_state_is_for_the_owner_of_the_checkout_alone(shared):
    shared.state = State(variables={"DATABASE_URL": "postgresql://app:secret@/"}, port=1)
    file = shared.folder / "state.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["port"] == 1
