"""While files cannot be kept, nothing is accepted and nothing is lost."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from backend.core import outbox
from backend.core.database import db, transaction
from backend.domains.flows.models import FlowFile, FlowWaiting
from backend.domains.flows.services import places, retention, waiting

FILES = "/api/flows/files"


class Store:
    """A folder that can be taken away: a file has its name then, below which nothing can be."""

    def __init__(self, app, root):
        self.root = root
        self._app = app
        self.set(files_url=str(root))

    def by_job(self):
        """Have every upload be imported by a job."""
        self.set(flows_async_bytes=100)

    def set(self, **changes):
        settings = self._app.extensions["settings"]
        self._app.extensions["settings"] = replace(settings, **changes)

    def go(self):
        if self.root.exists():
            self.root.rename(self.root.with_name("away"))
        self.root.write_text("")

    def come_back(self):
        self.root.unlink()
        if self.root.with_name("away").exists():
            self.root.with_name("away").rename(self.root)

    def kept(self):
        return [path for path in self.root.rglob("*") if path.is_file()]


@pytest.fixture
def store(real_database, tmp_path, monkeypatch):
    settings = real_database.extensions["settings"]
    yield Store(real_database, tmp_path / "files")
    real_database.extensions["settings"] = settings


@pytest.fixture
def staff(signed_in):
    return signed_in("staff")


def send(client, *contents):
    files = [(BytesIO(each.encode()), "a.uff") for each in contents]
    return client.post(FILES, data={"files": files})


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def hurry():
    with transaction():
        db.session.execute(text("update outbox set next_at = clock_timestamp()"))


@pytest.mark.parametrize("is_by_job", [False, True])
def test_an_upload_that_cannot_be_kept_is_to_be_sent_again_and_leaves_nothing(
    store, staff, example, is_by_job
):
    if is_by_job:
        store.by_job()
    store.go()

    refused = send(staff, example)

    assert (refused.status_code, refused.mimetype) == (503, "application/problem+json")
    assert refused.json["type"] == "/problems/files-unavailable"
    assert "Retry-After" in refused.headers
    assert (count(FlowFile), count(FlowWaiting)) == (0, 0)
    store.come_back()
    assert send(staff, example).status_code == (202 if is_by_job else 201)


def test_what_became_of_the_files_before_it_is_told(store, staff, example):
    store.go()
    refused = send(staff, "hello", example)
    assert refused.status_code == 503
    assert [each["http_status"] for each in refused.json["data"]] == [422]


def test_an_accepted_file_waits_for_the_store_however_often_it_is_tried(store, staff, example):
    store.by_job()
    send(staff, example)
    store.go()
    for _ in range(5):
        hurry()
        assert [*outbox.run_due().values()] == ["failed"]
    waits = db.session.scalars(select(FlowWaiting)).one()
    assert (waits.tries, count(FlowFile)) == (0, 1)
    store.come_back()

    hurry()
    outbox.run_due()

    assert db.session.scalars(select(FlowFile.status)).all() == ["imported"]


def test_an_import_by_command_says_that_it_failed(store, example, tmp_path, quintet):
    (tmp_path / "a.uff").write_text(example)
    store.go()
    result = quintet("flows", "import", str(tmp_path / "a.uff"))
    assert result.exit_code == 1
    assert "Files cannot be kept" in result.stderr
    assert count(FlowFile) == 0


def test_bytes_whose_receipt_cannot_be_written_are_removed(store, staff, example, monkeypatch):
    """No task is called so, which stands for whatever keeps a row from being written."""
    store.by_job()
    monkeypatch.setattr(waiting, "TOPIC", "flows.unheard")
    with pytest.raises(LookupError):
        send(staff, example)
    assert store.kept() == []
    assert count(FlowFile) == 0


def test_staged_bytes_that_nothing_waits_for_go_after_a_day(store, staff, example):
    store.by_job()
    send(staff, example)
    lost = places.stage(BytesIO(b"x"), "0" * 64)
    fresh = places.stage(BytesIO(b"x"), "1" * 64)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    for path in store.kept():
        if not str(path).endswith(fresh):
            os.utime(path, (long_ago, long_ago))

    assert retention.enforce()["unclaimed_bytes"] == 1

    assert not Path(store.root, lost).exists()
    assert Path(store.root, fresh).exists()
    assert waiting.find(db.session.scalar(select(FlowFile.id))) is not None
    assert len(store.kept()) == 2


def test_what_is_no_flow_file_leaves_room_for_those_behind_it(store, staff, example):
    store.set(flows_async_bytes=100_000)
    response = send(staff, "x" * 200_000, example)
    assert [each["http_status"] for each in response.json["data"]] == [422, 201]


def test_files_that_are_too_much_together_wait_for_a_job(store, staff, example):
    store.set(flows_async_bytes=len(example) + 100)
    response = send(staff, example, example.sent("QT00000002", "20250403061500"))
    assert [each["http_status"] for each in response.json["data"]] == [201, 202]
