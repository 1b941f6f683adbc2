"""A server that hangs, lies, refuses or changes its files holds up nothing but what it spoils."""

import os
import resource
import time
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import select, text

from backend.core import outbox
from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowLook, FlowSource
from backend.domains.flows.services import looks, remote, sftp


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


def work():
    remote.collect()
    outbox.run_due()


def names():
    db.session.rollback()
    return db.session.scalars(select(FlowFile.name).order_by(FlowFile.id)).all()


def state():
    db.session.rollback()
    return db.session.scalars(select(FlowSource.state)).one()


def age(path):
    os.utime(path, (1e9, 1e9))


def test_a_server_that_says_nothing_once_we_are_signed_in_is_given_up(
    outbound, server, monkeypatch
):
    monkeypatch.setattr(sftp, "SILENCE", 0.5)
    server.silence = 5
    began = time.monotonic()
    assert remote.collect() == 0
    assert time.monotonic() - began < 3
    assert state() == "away"


def test_a_server_that_falls_silent_within_a_file_is_given_up(
    outbound, server, example, monkeypatch
):
    (outbound / "one.uff").write_text(example)
    monkeypatch.setattr(sftp, "SILENCE", 0.5)
    server.while_read = lambda: time.sleep(3)
    assert remote.collect() == 0
    assert (state(), names()) == ("away", [])


def test_a_file_that_they_fail_to_open_keeps_none_of_the_others(outbound, server, example):
    for name in ("oldest.uff", "other.uff"):
        (outbound / name).write_text(example)
    age(outbound / "oldest.uff")
    server.refused = {b"oldest.uff"}

    work()

    assert (names(), state()) == (["other.uff"], "open")


def test_a_size_that_cannot_be_keeps_none_of_the_others(outbound, server, example):
    for name in ("boundless.uff", "other.uff"):
        (outbound / name).write_text(example)
    server.boundless = {b"boundless.uff"}
    work()
    assert (names(), state()) == (["other.uff"], "open")


def test_a_name_that_is_no_text_keeps_none_of_the_others_and_is_fetched_too(outbound, example):
    (outbound / os.fsdecode(b"\xff\xfe.uff")).write_text(example)
    (outbound / "other.uff").write_text(example)

    work()

    assert sorted(names()) == ["other.uff", "\ufffd\ufffd.uff"]
    there = {os.fsencode(path.name) for path in (outbound / "processed").iterdir()}
    assert there == {b"\xff\xfe.uff", b"other.uff"}


def test_a_file_that_grows_while_it_is_fetched_is_left_for_later(outbound, server, example):
    path = outbound / "one.uff"
    path.write_text(example)

    def grow():
        with path.open("a") as file:
            file.write("x" * 100_000)

    server.while_read = grow
    work()
    assert (names(), state()) == ([], "open")
    server.while_read = lambda: None
    path.write_text(example)
    work()
    assert names() == ["one.uff"]


def replace_with(path, content):
    """Put another file under the name in one step, as careful senders do."""
    (path.parent / ".new").write_text(content)
    (path.parent / ".new").rename(path)


def test_a_file_that_is_replaced_before_ours_is_moved_there_is_fetched_too(
    outbound, server, example
):
    path = outbound / "daily.uff"
    path.write_text(example)
    age(path)
    # The folder for what is processed is made after the fetch and before the move.
    server.before_mkdir = lambda: replace_with(
        path, example.sent("QT00000002", "20250403061500") + "\n"
    )

    work()
    server.before_mkdir = lambda: None
    work()
    work()

    assert names() == ["daily.uff", "daily.uff"]
    assert (outbound / "processed" / "daily.uff").read_text().startswith("ZHV|QT00000002")


def test_a_file_that_is_rewritten_in_the_same_size_while_it_is_fetched_is_left_for_later(
    outbound, server, example
):
    path = outbound / "one.uff"
    path.write_text(example)
    age(path)
    server.while_read = lambda: path.write_text(example.replace("4521.0", "9999.0"))
    work()
    assert (names(), state()) == ([], "open")
    server.while_read = lambda: None
    work()
    assert names() == ["one.uff"]


def test_a_file_for_which_there_is_no_room_keeps_no_smaller_one_and_the_server_is_not_blamed(
    outbound, example, signed_in
):
    """A limit for the size of files stands for a disk that is nearly full."""
    (outbound / "big.uff").write_bytes(b"x" * 5_000_000)
    age(outbound / "big.uff")
    (outbound / "good.uff").write_text(example)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert (names(), state()) == (["good.uff"], "open")
    page = signed_in("staff").get("/admin/flows/files").text
    assert "some files cannot be kept here" in page


def test_a_large_file_is_fetched_in_little_memory(outbound, monkeypatch):
    """Requests that leave more slowly than they are answered are what the library trips over."""
    with (outbound / "large.uff").open("wb") as large:
        large.truncate(50_000_000)
    request = sftp.Client._async_request
    monkeypatch.setattr(
        sftp.Client, "_async_request", lambda *words: time.sleep(0.001) or request(*words)
    )
    remote.collect()
    tracemalloc.start()
    try:
        remote.collect()
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()


def test_a_connection_that_breaks_within_a_file_leaves_nothing_behind(outbound, server, example):
    (outbound / "one.uff").write_text(example)
    server.while_read = lambda: [each.abort() for each in server.connections]
    work()
    assert (names(), state()) == ([], "away")
    server.while_read = lambda: None
    work()
    assert (names(), state()) == (["one.uff"], "open")


def test_a_file_that_cannot_be_moved_there_keeps_none_of_the_others(outbound, example):
    """A folder has its name among the processed ones, and its other name too."""
    for name in ("first.uff", "second.uff"):
        (outbound / name).write_text(example)
    age(outbound / "first.uff")
    (outbound / "processed").mkdir()
    (outbound / "processed" / "first.uff").mkdir()
    digest = sha256(example.encode()).hexdigest()
    (outbound / "processed" / f"first.uff.{digest[:12]}").mkdir()

    work()
    work()

    assert sorted(path.name for path in outbound.iterdir()) == ["first.uff", "processed"]
    assert names() == ["first.uff", "second.uff"]


def test_the_ledger_forgets_what_is_no_longer_there(outbound, server, example):
    server.is_read_only = True
    (outbound / "one.uff").write_text(example)
    work()
    (outbound / "one.uff").unlink()
    work()
    assert db.session.scalars(select(FlowLook)).all() == []


def test_host_keys_that_cannot_be_read_raise_the_alarm(outbound, tmp_path, person):
    person("staff")
    (tmp_path / "known_hosts").unlink()
    work()
    assert state() == "stopped"
    query = text("select count(*) from outbox where topic = 'flows.tell_staff'")
    assert db.session.scalar(query) == 1
