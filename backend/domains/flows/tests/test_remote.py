from dataclasses import replace
from datetime import timedelta

import asyncssh
import pytest
from sqlalchemy import select, text

from backend.core import outbox
from backend.core.database import db, transaction
from backend.domains.flows.models import FlowFile, FlowLook, FlowSource
from backend.domains.flows.services import archive, looks, remote, sftp


@pytest.fixture
def outbound(server, tmp_path, user_key, real_database, monkeypatch):
    """The folder from which we fetch; our key and theirs are known."""
    key, known = tmp_path / "key", tmp_path / "known_hosts"
    key.write_bytes(user_key.export_private_key())
    known.write_text(server.known_as())
    settings = replace(
        real_database.extensions["settings"],
        flows_sftp=f"sftp://quintet@127.0.0.1:{server.port}/out",
        flows_sftp_host_keys=str(known),
        flows_sftp_key=str(key),
    )
    monkeypatch.setitem(real_database.extensions, "settings", settings)
    monkeypatch.setattr(looks, "SETTLE", timedelta(0))
    return server.root / "out"


@pytest.fixture
def staff_person(person):
    return person("staff")


@pytest.fixture
def known_hosts(tmp_path):
    return tmp_path / "known_hosts"


def statuses():
    db.session.rollback()
    return db.session.scalars(select(FlowFile.status).order_by(FlowFile.id)).all()


def work():
    remote.collect()
    outbox.run_due()


def source():
    db.session.rollback()
    return db.session.scalars(select(FlowSource)).one()


def mails():
    db.session.rollback()
    query = text("select count(*) from outbox where topic = 'flows.tell_staff'")
    return db.session.scalar(query)


def test_a_finished_file_is_fetched_imported_and_moved_there(outbound, example):
    (outbound / "april.uff").write_text(example)

    work()

    assert statuses() == ["imported"]
    file = db.session.scalars(select(FlowFile)).one()
    assert (file.name, file.channel) == ("april.uff", "sftp")
    assert file.source.startswith("sftp://quintet@127.0.0.1")
    assert [path.name for path in outbound.iterdir()] == ["processed"]
    assert (outbound / "processed" / "april.uff").read_text() == example
    assert db.session.scalars(select(FlowLook)).all() == []
    assert source().state == "open"


def test_a_file_is_fetched_only_after_two_equal_looks(outbound, example, monkeypatch):
    monkeypatch.setattr(looks, "SETTLE", timedelta(seconds=60))
    (outbound / "one.uff").write_text(example)
    work()
    assert statuses() == []
    with transaction():
        db.session.execute(text("update flow_look set steady_since = now() - interval '1 hour'"))
    work()
    assert statuses() == ["imported"]


def test_where_nothing_may_be_moved_a_ledger_remembers_what_was_taken(outbound, example, server):
    server.is_read_only = True
    (outbound / "one.uff").write_text(example)

    work()
    work()

    assert statuses() == ["imported"]
    row = db.session.scalars(select(FlowLook)).one()
    assert (row.name, row.size_bytes, row.taken_at is not None) == ("one.uff", len(example), True)
    assert row.raw_hash == db.session.scalars(select(FlowFile.raw_hash)).one()


def test_another_content_under_a_name_in_the_ledger_is_fetched(outbound, example, server):
    server.is_read_only = True
    (outbound / "one.uff").write_text(example)
    work()
    (outbound / "one.uff").write_text(example.sent("QT00000002", "20250403061500") + "\n")

    work()

    assert statuses() == ["imported", "imported"]


def test_hidden_and_unfinished_names_folders_and_links_are_left_alone(outbound, example):
    for name in (".hidden", "a.part", "b.tmp"):
        (outbound / name).write_text(example)
    (outbound / "folder").mkdir()
    (outbound / "link.uff").symlink_to("a.part")
    work()
    assert statuses() == []


def test_a_file_without_trailer_is_waited_for(outbound, example, real_database):
    (outbound / "cut.uff").write_text(example.line(14, None))
    work()
    assert statuses() == []
    settings = real_database.extensions["settings"]
    real_database.extensions["settings"] = replace(settings, flows_drop_patience=timedelta(0))
    work()
    assert statuses() == ["rejected"]


def test_a_name_that_is_taken_there_gets_a_suffix(outbound, example):
    (outbound / "same.uff").write_text(example)
    work()
    (outbound / "same.uff").write_text(example.replace("\n", "\r\n"))

    work()

    names = sorted(path.name for path in (outbound / "processed").iterdir())
    assert names[0] == "same.uff"
    assert names[1].startswith("same.uff.")
    assert statuses() == ["imported", "duplicate"]


@pytest.mark.parametrize("how", ["unknown", "changed"])
def test_an_unknown_or_changed_host_key_bars_the_server_and_nothing_else(
    outbound, server, known_hosts, staff_person, how
):
    if how == "unknown":
        known_hosts.write_text("")
    else:
        server.stop()
        server.start(key=1)
    (outbound / "one.uff").write_text("hello\nZPT|")

    remote.collect()
    remote.collect()

    assert (source().state, how in source().message) == ("stopped", True)
    assert server.sessions == 0
    assert mails() == 1
    assert statuses() == []
    known_hosts.write_text(server.known_as(0 if how == "unknown" else 1))
    work()
    assert (source().state, statuses()) == ("open", ["rejected"])


def test_the_alarm_is_shown_in_the_console(outbound, known_hosts, signed_in):
    known_hosts.write_text("")
    remote.collect()
    assert remote._is_barred() == 1
    page = signed_in("staff").get("/admin/flows/files").text
    assert "Nothing is fetched from sftp://quintet@127.0.0.1" in page


def test_a_server_that_is_away_is_tried_again_without_an_alarm(
    outbound, example, server, staff_person
):
    (outbound / "one.uff").write_text(example)
    server.stop()
    remote.collect()
    assert (source().state, mails()) == ("away", 0)
    server.start()
    work()
    assert (source().state, statuses()) == ("open", ["imported"])


def write_key(path, what, user_key):
    if what == "missing":
        path.unlink()
    elif what == "folder":
        path.unlink()
        path.mkdir()
    elif what == "other":
        path.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    elif what == "passphrase":
        path.write_bytes(user_key.export_private_key(passphrase="secret"))
    else:
        path.write_text("hello")


@pytest.mark.usefixtures("staff_person")
@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("missing", "QUINTET_FLOWS_SFTP_KEY names no private key"),
        ("folder", "QUINTET_FLOWS_SFTP_KEY names no private key"),
        ("nonsense", "QUINTET_FLOWS_SFTP_KEY names no private key"),
        ("passphrase", "QUINTET_FLOWS_SFTP_KEY has a passphrase"),
        ("other", "refuses the user of QUINTET_FLOWS_SFTP with our key"),
    ],
)
def test_a_key_that_does_not_open_the_server_is_told_with_its_setting_and_no_alarm(
    outbound, tmp_path, user_key, what, told
):
    write_key(tmp_path / "key", what, user_key)
    remote.collect()
    assert (source().state, told in source().message, mails()) == ("away", True, 0)


def test_a_folder_that_is_not_there_is_told_with_its_setting(outbound):
    outbound.rmdir()
    remote.collect()
    told = "the folder of QUINTET_FLOWS_SFTP cannot be opened there"
    assert (source().state, source().message) == ("away", told)


@pytest.mark.parametrize(
    "line", [b"127.0.0.1 ssh-ed25519 x!!", b"127.0.0.1 ssh-rsa AAAAB3NzaC1yc2E=", b"\xff\xfe"]
)
def test_a_bad_line_among_the_host_keys_raises_the_alarm(
    outbound, server, known_hosts, staff_person, line
):
    known_hosts.write_bytes(line + b"\n" + server.known_as().encode())
    remote.collect()
    assert (source().state, mails()) == ("stopped", 1)
    assert "QUINTET_FLOWS_SFTP_HOST_KEYS" in source().message


def test_a_crash_after_the_commit_moves_the_file_the_next_time(outbound, example, server):
    server.is_read_only = True
    (outbound / "one.uff").write_text(example)
    work()
    server.is_read_only = False

    work()

    assert statuses() == ["imported"]
    assert [path.name for path in outbound.iterdir()] == ["processed"]


@pytest.mark.parametrize(
    ("path", "folder"),
    [("", "."), ("/", "."), ("/out", "out"), ("/a%20b/c", "a b/c"), ("//srv/out", "/srv/out")],
)
def test_a_folder_is_below_that_of_the_login_unless_it_has_two_slashes(path, folder):
    assert sftp.folder(f"sftp://user@host{path}") == folder


def test_what_is_rejected_is_kept_although_its_header_is_damaged(outbound, example):
    damaged = example.replace("ZHV|QT00000001", "ZHV|QT|0000001")
    (outbound / "damaged.uff").write_text(damaged)

    work()

    assert statuses() == ["rejected"]
    with archive.original(db.session.scalars(select(FlowFile)).one()) as original:
        assert original.read() == damaged.encode()
