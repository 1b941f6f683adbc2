import os
import pwd
import socket
import stat
import subprocess

import psutil
import psycopg
import pytest

from environments.local import places, processes
from environments.local.binaries import NoPostgres
from environments.local.postgres import Postgres


def query(server, statement, role="quintet_app"):
    with psycopg.connect(server.url(role), autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def write(server, statement, role="quintet_owner"):
    with psycopg.connect(server.url(role), autocommit=True) as connection:
        connection.execute(statement)


def keep_something(server):
    write(server, "drop table if exists kept")
    write(server, "create table kept as select 1 as it")
    write(server, "grant select on kept to quintet_app")


def test_it_starts_and_answers_and_stops(postgres):
    postgres.start()
    process = postgres.process()
    assert query(postgres, "select 1") == [(1,)]
    postgres.stop()
    assert not process.is_running()
    assert not postgres.answers()


def test_it_stops_at_once_with_a_client_connected(postgres):
    postgres.start()
    with psycopg.connect(postgres.url()) as connection:
        postgres.stop()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")


def test_what_was_committed_is_there_after_a_stop(postgres):
    postgres.start()
    keep_something(postgres)
    postgres.stop()
    postgres.start()
    assert query(postgres, "select it from kept") == [(1,)]


def test_what_was_committed_is_there_after_a_kill(postgres):
    postgres.start()
    keep_something(postgres)
    postgres.process().kill()
    postgres.start()
    assert query(postgres, "select it from kept") == [(1,)]


def test_a_server_that_outlived_its_parent_is_replaced(postgres):
    postgres.start()
    orphan = postgres.process()
    successor = Postgres(postgres.folder)
    successor.start()
    assert not orphan.is_running()
    assert query(successor, "select 1") == [(1,)]


def test_the_number_of_a_server_that_is_gone_may_be_anothers_now(postgres):
    postgres.start()
    postgres.process().kill()
    pidfile = postgres.data / "postmaster.pid"
    _, *rest = pidfile.read_text().split("\n")
    with subprocess.Popen(["sleep", "60"], **places.as_server_user()) as other:
        pidfile.write_text("\n".join([str(other.pid), *rest]))
        postgres.start()
        other.kill()
    assert query(postgres, "select 1") == [(1,)]


def test_only_the_admin_is_a_superuser(postgres):
    postgres.start()
    roles = query(
        postgres,
        "select rolname, rolsuper, rolcreatedb, rolcreaterole from pg_roles"
        " where rolname like 'quintet%' order by rolname",
    )
    assert roles == [
        ("quintet_admin", True, True, True),
        ("quintet_app", False, False, False),
        ("quintet_owner", False, True, False),
    ]


def test_the_application_cannot_make_tables(postgres):
    postgres.start()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        write(postgres, "create table mine (it int)", role="quintet_app")


def test_a_wrong_password_is_refused(postgres):
    postgres.start()
    wrong = f"postgresql://quintet_app:wrong@127.0.0.1:{postgres.port}/quintet"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_passwords_are_for_the_owner_of_the_checkout_alone(postgres):
    mode = (postgres.folder / "passwords.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_it_listens_on_the_loopback_only(postgres):
    postgres.start()
    listening = {
        each.laddr.ip
        for each in postgres.process().net_connections()
        if each.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_port_that_was_taken_meanwhile_is_replaced(postgres, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ports = iter([taken.getsockname()[1], processes.free_port()])
        monkeypatch.setattr(processes, "free_port", lambda: next(ports))
        postgres.start()
        assert postgres.port != taken.getsockname()[1]
        assert query(postgres, "select 1") == [(1,)]


def test_when_it_does_not_start_the_end_of_its_log_is_shown(spoilt):
    (spoilt.data / "postgresql.conf").write_text("nonsense = yes\n")
    with pytest.raises(
        processes.ServerFailed, match='unrecognized configuration parameter "nonsense"'
    ):
        spoilt.start()


def test_data_left_unfinished_by_a_crash_is_made_again(postgres):
    unfinished = postgres.folder / "unfinished-abc"
    unfinished.mkdir()
    postgres.prepare()
    assert not unfinished.exists()


def test_ctrl_c_does_not_reach_the_server_before_its_clients(postgres):
    postgres.start()
    assert os.getsid(postgres.process().pid) != os.getsid(0)


def test_as_root_the_server_runs_as_nobody_and_otherwise_as_oneself(postgres):
    postgres.start()
    expected = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    assert postgres.process().username() == expected


def test_data_to_throw_away_is_made_again_when_it_does_not_start(spoilt):
    (spoilt.data / "postgresql.conf").write_text("nonsense = yes\n")
    other = Postgres(spoilt.folder, throw_away=True)
    other.start()
    assert query(other, "show fsync") == [("off",)]


def test_what_a_person_keeps_is_safe_from_a_power_cut(postgres):
    postgres.start()
    assert query(postgres, "show fsync") == [("on",)]


def test_data_of_a_version_that_is_gone_is_kept_and_explained(spoilt):
    (spoilt.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(NoPostgres, match="was made by PostgreSQL 9"):
        spoilt.start()
    assert spoilt.data.exists()
