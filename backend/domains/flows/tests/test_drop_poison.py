"""What is odd in the drop folder, or goes wrong with one file, is nobody else's trouble."""

import errno
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from backend.core import outbox
from backend.core.database import db, transaction
from backend.core.errors import Unavailable
from backend.domains.flows.models import FlowFile, FlowLook
from backend.domains.flows.services import drop, folders, looks, waiting
from backend.domains.flows.services.looks import Seen


@pytest.fixture
def folder(real_database, monkeypatch, tmp_path):
    """A drop folder; one look finds a file at rest."""
    folder = tmp_path / "drop"
    folder.mkdir()
    settings = replace(real_database.extensions["settings"], flows_drop=str(folder))
    monkeypatch.setitem(real_database.extensions, "settings", settings)
    monkeypatch.setattr(looks, "SETTLE", timedelta(0))
    return folder


def work():
    drop.collect()
    for _ in range(5):
        with transaction():
            db.session.execute(text("update outbox set next_at = clock_timestamp()"))
        if not outbox.run_due():
            return


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def files():
    db.session.rollback()
    return [tuple(row) for row in db.session.execute(select(FlowFile.name, FlowFile.status))]


def age(path):
    os.utime(path, (1e9, 1e9), follow_symlinks=False)


def test_a_file_that_cannot_be_moved_keeps_none_of_the_others(folder, example):
    """A number's claim that is there already stands for whatever refuses one file alone."""
    (folder / "oldest.uff").write_text(example)
    age(folder / "oldest.uff")
    (folder / "other.uff").write_text(example.sent("QT00000002", "20250403061500"))
    (folder / "processing" / "1").mkdir(parents=True)

    work()

    assert tree(folder) == ["oldest.uff", "processed/other.uff"]
    work()
    assert tree(folder) == ["processed/oldest.uff", "processed/other.uff"]


def test_what_somebody_put_among_the_claims_comes_back_and_blocks_nobody(folder, example):
    (folder / "processing" / "deep").mkdir(parents=True)
    (folder / "processing" / "deep" / "inner.uff").write_text(example)
    (folder / "processing" / "stray.uff").write_text(example)
    (folder / "processing" / ("9" * 20)).mkdir()
    (folder / "processing" / "link").symlink_to(folder / "processing")
    for path in (folder / "processing").iterdir():
        age(path)
    (folder / "good.uff").write_text(example)

    work()
    work()

    kept = ["inner.uff", "stray.uff"]
    assert [name.rpartition("/")[2] for name in tree(folder)] == ["good.uff", *kept]
    assert {status for _, status in files()} == {"imported", "duplicate"}
    assert list((folder / "processing").iterdir()) == []


def test_more_files_than_a_statement_has_parameters_are_looked_at(folder):
    many = [Seen(f"{number}.uff", 1, 1) for number in range(70_000)]
    with transaction():
        assert len(looks.steady("drop", many)) == 70_000
        looks.forget_others("drop", [each.name for each in many[1:]])
    assert db.session.scalar(select(func.count()).select_from(FlowLook)) == 69_999


def test_two_names_that_look_alike_are_two_files(folder, example):
    (folder / os.fsdecode(b"a\xff.uff")).write_text(example)
    (folder / r"a\xff.uff").write_text(example)
    work()
    assert sorted(status for _, status in files()) == ["duplicate", "imported"]


def test_a_file_that_is_written_anew_after_the_look_is_left_alone(folder, example):
    path = folder / "one.uff"
    path.write_text(example)
    seen = list(drop._list(folder))
    path.write_text(example[:200])
    assert [drop._claim(folder, each) for each in seen] == [False]
    assert tree(folder) == ["one.uff"]
    assert files() == []


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_became_a_link_or_a_pipe_after_its_claim_is_not_read(folder, example, tmp_path, kind):
    (folder / "one.uff").write_text(example)
    drop.collect()
    (path,) = (folder / "processing").rglob("one.uff")
    path.unlink()
    if kind == "link":
        (tmp_path / "secret").write_text(example)
        path.symlink_to(tmp_path / "secret")
    else:
        os.mkfifo(path)

    outbox.run_due()

    assert files() == [("one.uff", "failed")]
    left = folder / "quarantine" / "one.uff"
    assert left.is_symlink() if kind == "link" else left.is_fifo()
    assert "may not be read" in (folder / "quarantine" / "one.uff.reason.txt").read_text()


def test_a_reason_overwrites_no_file_that_has_its_name(folder):
    """Both names and their reasons are taken by what came first."""
    (folder / "a.uff.reason.txt").write_text("first\nZPT|")
    age(folder / "a.uff.reason.txt")
    (folder / "a.uff").write_text("second\nZPT|")

    work()

    found = {path.read_text() for path in (folder / "quarantine").iterdir()}
    assert {"first\nZPT|", "second\nZPT|"} <= found
    assert len(found) == 4


def test_moving_again_after_a_crash_writes_the_same_reason(tmp_path):
    """The second name is there, the note is written, and the first name is not yet gone."""
    path, folder = tmp_path / "a.uff", tmp_path / "quarantine"
    path.write_text("x")
    folder.mkdir()
    (folder / "a.uff").hardlink_to(path)
    (folder / "a.uff.reason.txt").write_text("why")
    assert folders.move(path, folder, reason="why") == folder / "a.uff"
    assert tree(tmp_path) == ["quarantine/a.uff", "quarantine/a.uff.reason.txt"]


@pytest.fixture
def no_second_names(monkeypatch):
    """A file system on which a file has one name."""

    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("no_second_names")
def test_without_second_names_nothing_is_overwritten_either(folder):
    quarantine = folder / "quarantine"
    quarantine.mkdir()
    (quarantine / "b.uff").write_text("theirs")
    (folder / "b.uff").write_text("ours too")
    folders.move(folder / "b.uff", quarantine)
    assert (quarantine / "b.uff").read_text() == "theirs"


@pytest.mark.usefixtures("no_second_names")
def test_a_file_is_never_in_quarantine_without_its_reason(tmp_path, monkeypatch):
    """The disk is full just when the reason is written."""
    path, quarantine = tmp_path / "a.uff", tmp_path / "quarantine"
    path.write_text("x")

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    write = Path.write_text
    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(OSError, match="No space"):
        folders.move(path, quarantine, reason="why")
    monkeypatch.setattr(Path, "write_text", write)
    assert tree(tmp_path) == ["a.uff"]
    target = folders.move(path, quarantine, reason="why")
    assert target.with_name(f"{target.name}.reason.txt").read_text() == "why"


def test_while_the_folder_is_away_claims_are_kept_for_its_return(folder, example):
    (folder / "one.uff").write_text(example)
    drop.collect()
    away = folder.rename(folder.with_name("away"))
    assert drop.collect() == 0
    file_id = db.session.scalar(select(FlowFile.id))
    with pytest.raises(Unavailable):
        waiting.import_one(file_id)
    away.rename(folder)

    time.sleep(0.01)
    work()

    assert (tree(folder), files()) == (["processed/one.uff"], [("one.uff", "imported")])
