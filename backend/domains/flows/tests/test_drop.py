import os
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import OperationalError

from backend.core import outbox
from backend.core.database import db, transaction
from backend.domains.flows.models import FlowFile, FlowReading
from backend.domains.flows.services import drop, looks, waiting


@pytest.fixture
def folder(real_database, monkeypatch, tmp_path):
    """A drop folder; two looks may follow each other at once."""
    folder = tmp_path / "drop"
    folder.mkdir()
    settings = replace(real_database.extensions["settings"], flows_drop=str(folder))
    monkeypatch.setitem(real_database.extensions, "settings", settings)
    monkeypatch.setattr(looks, "SETTLE", timedelta(seconds=0.03))
    return folder


def collect():
    drop.collect()
    return look_again()


def look_again():
    time.sleep(0.05)
    return drop.collect()


def work():
    """Do what waits, until nothing is left; what failed is tried at once."""
    collect()
    for _ in range(5):
        with transaction():
            db.session.execute(text("update outbox set next_at = clock_timestamp()"))
        if not outbox.run_due():
            return


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def statuses():
    db.session.rollback()
    return db.session.scalars(select(FlowFile.status).order_by(FlowFile.id)).all()


def readings():
    return db.session.scalar(select(func.count()).select_from(FlowReading))


def test_a_finished_file_is_imported_and_moved(folder, example):
    (folder / "april.uff").write_text(example)

    work()

    assert tree(folder) == ["processed/april.uff"]
    assert [path.name for path in (folder / "processing").iterdir()] == []
    file = db.session.scalars(select(FlowFile)).one()
    assert (file.name, file.channel, file.status) == ("april.uff", "drop", "imported")


def test_a_file_is_taken_only_when_two_looks_found_it_the_same(folder, example):
    path = folder / "slow.uff"
    path.write_text(example[:200])
    assert drop.collect() == 0
    path.write_text(example)
    assert look_again() == 0
    assert look_again() == 1


def test_looks_that_follow_too_soon_do_not_count(folder, example, monkeypatch):
    monkeypatch.setattr(looks, "SETTLE", timedelta(seconds=0.5))
    (folder / "one.uff").write_text(example)
    assert [drop.collect(), drop.collect()] == [0, 0]
    time.sleep(0.6)
    assert drop.collect() == 1


def test_hidden_and_unfinished_names_folders_and_links_are_left_alone(folder, example, tmp_path):
    names = [".hidden.uff", "a.part", "b.tmp", "c.filepart", "d.processing"]
    for name in names:
        (folder / name).write_text(example)
    (folder / "folder.uff").mkdir()
    (tmp_path / "elsewhere.uff").write_text(example)
    (folder / "link.uff").symlink_to(tmp_path / "elsewhere.uff")

    work()

    assert tree(folder) == sorted([*names, "link.uff"])
    assert statuses() == []


def test_a_broken_file_goes_into_quarantine_with_the_reason_beside_it(folder, example):
    (folder / "cut.uff").write_text(example.swap(14, "12", "99"))

    work()

    assert tree(folder) == ["quarantine/cut.uff", "quarantine/cut.uff.reason.txt"]
    reason = (folder / "quarantine" / "cut.uff.reason.txt").read_text()
    assert reason.startswith("rejected: ")
    assert "/admin/flows/files/1" in reason


def test_a_conflicting_resend_goes_into_quarantine(folder, example):
    (folder / "first.uff").write_text(example)
    work()
    (folder / "second.uff").write_text(example.swap(4, "4521.0", "4522.0"))

    work()

    assert tree(folder)[1:] == ["quarantine/second.uff", "quarantine/second.uff.reason.txt"]


def test_a_duplicate_is_processed_under_another_name_and_nothing_is_overwritten(folder, example):
    for content in (example, example.replace("\n", "\r\n")):
        (folder / "same.uff").write_bytes(content.encode())
        work()

    first, other = tree(folder)
    assert first.startswith("processed/same.")
    assert other == "processed/same.uff"
    assert b"\r" not in (folder / other).read_bytes()
    assert statuses() == ["imported", "duplicate"]


def test_a_file_without_trailer_is_waited_for_and_then_judged(folder, example, real_database):
    (folder / "cut.uff").write_text(example.line(14, None))
    work()
    assert tree(folder) == ["cut.uff"]
    settings = real_database.extensions["settings"]
    real_database.extensions["settings"] = replace(settings, flows_drop_patience=timedelta(0))

    work()

    assert tree(folder) == ["quarantine/cut.uff", "quarantine/cut.uff.reason.txt"]


def test_the_oldest_file_is_claimed_first(folder, example):
    for age, name in enumerate(("new.uff", "middle.uff", "old.uff")):
        (folder / name).write_text(example)
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    collect()
    names = db.session.scalars(select(FlowFile.name).order_by(FlowFile.id)).all()
    assert names == ["old.uff", "middle.uff", "new.uff"]


def test_a_file_that_arrives_late_with_an_old_time_is_seen(folder, example):
    (folder / "new.uff").write_text(example)
    work()
    (folder / "late.uff").write_text(example.sent("QT00000002", "20250403061500"))
    os.utime(folder / "late.uff", (1e9, 1e9))

    work()

    assert statuses() == ["imported", "imported"]


def test_the_same_name_size_and_time_again_is_looked_at_again(folder, example):
    for _ in range(2):
        (folder / "same.uff").write_text(example)
        os.utime(folder / "same.uff", (1e9, 1e9))
        work()
    assert statuses() == ["imported", "duplicate"]


@pytest.mark.parametrize(
    "name",
    [b"\xff\xfe.uff", b"a\nb.uff", b"x" * 250 + b".uff", "ü".encode() * 120, b"-rf *", b"a b|c"],
)
def test_a_hostile_name_is_a_label_and_the_file_is_processed(folder, example, name):
    (folder / os.fsdecode(name)).write_text(example)

    work()

    assert statuses() == ["imported"]
    (left,) = tree(folder)
    assert left.startswith("processed/")


def test_a_poison_file_fails_three_times_and_blocks_nobody(folder, example, broken_table):
    (folder / "poison.uff").write_text(example)
    (folder / "broken.uff").write_text("hello\nZPT|")
    without_readings = example.line(5, None).line(4, None).line(3, None).counted()
    other = without_readings.replace("030|", "027|10|").sent("QT00000002", "20250403061500")
    (folder / "other.uff").write_text(other)

    work()

    names = ("broken.uff", "poison.uff")
    reasons = [f"quarantine/{name}.reason.txt" for name in names]
    expected = [*(f"quarantine/{name}" for name in names), *reasons, "processed/other.uff"]
    assert tree(folder) == sorted(expected)
    assert sorted(statuses()) == ["failed", "imported_with_errors", "rejected"]


def test_a_file_that_kills_its_process_is_given_up_after_three_tries(folder, example):
    (folder / "killer.uff").write_text(example)
    collect()
    with transaction():
        db.session.execute(text("update flow_waiting set tries = 3"))
        db.session.execute(text("update flow_file set status = 'running'"))

    work()

    assert tree(folder) == ["quarantine/killer.uff", "quarantine/killer.uff.reason.txt"]


def test_a_crash_between_commit_and_move_ends_in_the_same_place(folder, example):
    (folder / "one.uff").write_text(example)
    collect()
    file_id = db.session.scalar(select(FlowFile.id))
    waiting._try(*waiting._to_do(file_id))
    assert tree(folder) == [f"processing/{file_id}/one.uff"]

    work()

    assert tree(folder) == ["processed/one.uff"]
    assert (statuses(), readings()) == (["imported"], 4)


def test_a_claim_without_receipt_is_returned_after_five_minutes(folder, example):
    claim = folder / "processing" / "7"
    claim.mkdir(parents=True)
    (claim / "lost.uff").write_text(example)
    assert drop.collect() == 0
    assert tree(folder) == ["processing/7/lost.uff"]
    os.utime(claim, (1e9, 1e9))

    work()

    assert tree(folder) == ["processed/lost.uff"]


def test_a_claim_that_waits_for_its_job_is_not_returned(folder, example):
    (folder / "one.uff").write_text(example)
    collect()
    (claim,) = (folder / "processing").iterdir()
    os.utime(claim, (1e9, 1e9))
    drop.collect()
    assert tree(folder) == [f"processing/{claim.name}/one.uff"]


def test_a_file_that_somebody_takes_away_is_a_lost_race(folder, example):
    (folder / "one.uff").write_text(example)
    drop.collect()
    seen = list(drop._list(folder))
    (folder / "one.uff").unlink()
    assert [drop._claim(folder, each) for each in seen] == [False]
    assert statuses() == []


def test_a_claimed_file_that_somebody_takes_away_is_told(folder, example):
    (folder / "one.uff").write_text(example)
    collect()
    (path,) = (folder / "processing").rglob("one.uff")
    path.unlink()

    work()

    file = db.session.scalars(select(FlowFile)).one()
    assert (file.status, "taken away" in file.message) == ("failed", True)
    assert tree(folder) == []


def test_while_the_database_is_away_files_stay_where_they_are(folder, example, real_database):
    (folder / "one.uff").write_text(example)
    drop.collect()
    engines = db._app_engines[real_database]
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    engines[None], engine = away, engines[None]
    db.session.remove()
    with pytest.raises(OperationalError):
        look_again()
    engines[None] = engine
    db.session.remove()
    assert tree(folder) == ["one.uff"]

    work()

    assert tree(folder) == ["processed/one.uff"]
