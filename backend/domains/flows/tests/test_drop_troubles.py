"""What comes to its end although a disk, a network or a store was in trouble for long."""

import errno
import os
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, func, select, text

from backend.core import database, outbox
from backend.core.config import current_settings
from backend.core.database import db, transaction
from backend.domains.flows.models import FlowFile, FlowQuarantine, FlowWaiting
from backend.domains.flows.services import drop, looks, recovery, waiting


@pytest.fixture
def folder(real_database, monkeypatch, tmp_path):
    """A drop folder, and a folder for files of its own; one look finds a file at rest."""
    folder = tmp_path / "drop"
    folder.mkdir()
    settings = replace(
        real_database.extensions["settings"],
        flows_drop=str(folder),
        files_url=str(tmp_path / "files"),
    )
    monkeypatch.setitem(real_database.extensions, "settings", settings)
    monkeypatch.setattr(looks, "SETTLE", timedelta(0))
    return folder


def try_until_nothing_is_left_to_do():
    for _ in range(10):
        with transaction():
            db.session.execute(text("update outbox set next_at = clock_timestamp()"))
        if not outbox.run_due():
            return


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def statuses():
    db.session.rollback()
    return db.session.scalars(select(FlowFile.status).order_by(FlowFile.id)).all()


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


@pytest.mark.parametrize("what", ["files", "drop/processed"])
def test_a_file_whose_job_died_of_a_disk_is_imported_once_the_disk_is_there_again(
    folder, tmp_path, example, what
):
    """A file has the name of a folder, as if the folder were full or not to be written."""
    (folder / "good.uff").write_text(example)
    drop.collect()
    (tmp_path / what).write_text("")
    try_until_nothing_is_left_to_do()
    assert count(FlowWaiting) == 1
    (tmp_path / what).unlink()

    recovery.recover()
    try_until_nothing_is_left_to_do()

    assert (statuses(), tree(folder)) == (["imported"], ["processed/good.uff"])
    assert count(FlowWaiting) == 0


def test_what_waits_for_its_job_gets_no_other(folder, example):
    (folder / "good.uff").write_text(example)
    drop.collect()
    recovery.recover()
    assert db.session.scalar(text("select count(*) from outbox")) == 1


def test_a_claim_in_a_folder_that_is_not_mounted_is_imported_when_it_is(folder, example):
    (folder / "good.uff").write_text(example)
    drop.collect()
    mounted = folder.rename(folder.with_name("mounted"))
    folder.mkdir()
    try_until_nothing_is_left_to_do()
    assert statuses() == ["waiting"]
    folder.rmdir()
    mounted.rename(folder)

    recovery.recover()
    try_until_nothing_is_left_to_do()

    assert (statuses(), tree(folder)) == (["imported"], ["processed/good.uff"])


def test_a_file_that_breaks_off_while_it_is_read_is_given_up_after_three_tries(
    folder, example, monkeypatch
):
    """The first byte of a process's memory stands for a bad sector: reading it is an error."""
    (folder / "bad.uff").write_text(example)
    drop.collect()
    spoil(monkeypatch, lambda path, *rest: opened("/proc/self/mem", os.O_RDONLY))

    try_until_nothing_is_left_to_do()

    assert statuses() == ["failed"]
    assert tree(folder) == ["quarantine/bad.uff", "quarantine/bad.uff.reason.txt"]
    assert count(FlowQuarantine) == 1


opened = os.open


def spoil(monkeypatch, instead):
    """Have flow files be opened in another way."""

    def open_spoilt(path, *rest, **named):
        how = instead if str(path).endswith(".uff") else opened
        return how(path, *rest, **named)

    monkeypatch.setattr(os, "open", open_spoilt)


def test_a_network_that_loses_a_file_for_a_moment_costs_it_only_a_try(folder, example, monkeypatch):
    def lost(path, *_):
        monkeypatch.setattr(os, "open", opened)
        raise OSError(errno.ESTALE, "Stale file handle", path)

    (folder / "good.uff").write_text(example)
    drop.collect()
    spoil(monkeypatch, lost)

    try_until_nothing_is_left_to_do()

    assert (statuses(), tree(folder)) == (["imported"], ["processed/good.uff"])


def test_a_file_is_imported_although_its_progress_cannot_be_shown(folder, example, monkeypatch):
    (folder / "good.uff").write_text(example)
    drop.collect()
    monkeypatch.setattr(waiting, "_SHOWN_EVERY", 0)
    engine = create_engine(database.driver_url(current_settings().database_owner_url))
    with engine.begin() as owner:
        owner.execute(text("alter table flow_waiting add check (records_done = 0)"))
    engine.dispose()

    outbox.run_due()

    assert statuses() == ["imported"]
