import hashlib
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from backend.core.config import current_settings
from backend.core.database import db
from backend.domains.flows.models import FlowFile
from backend.domains.flows.services import archive, files


@pytest.fixture(params=["folder", "object store"])
def archive_url(request, app, tmp_path):
    settings = app.extensions["settings"]
    url = str(tmp_path) if request.param == "folder" else f"memory://{uuid4().hex}"
    app.extensions["settings"] = replace(settings, files_url=url)
    yield url
    app.extensions["settings"] = settings


def test_the_original_bytes_are_kept_under_their_hash(take_in, example, archive_url):
    content = example.replace("\n", "\r\n").encode()
    file = db.session.get_one(FlowFile, take_in(content).file_id)

    assert file.raw_hash == hashlib.sha256(content).hexdigest()
    assert file.archive_key.endswith(file.raw_hash)
    with archive.original(file) as stream:
        assert stream.read() == content


def test_a_reading_leads_to_its_line_as_it_was_sent(take_in, example, archive_url):
    file = db.session.get_one(FlowFile, take_in(example).file_id)

    lines = {each.number: each.text for each in files.lines_around(file, 5)}

    assert lines[5] == "030|NT|20250331000000|1987.5|||T|P|"


def test_bytes_that_are_kept_already_stay_as_they_are(take_in, example, archive_url):
    changed = example.swap(4, "4521.0", "4522.0")
    take_in(example)
    keys = {db.session.get_one(FlowFile, take_in(changed).file_id).archive_key for _ in range(2)}
    assert len(keys) == 1


def test_a_rejected_file_is_kept_for_the_people_who_ask_why(take_in, example, archive_url):
    file = db.session.get_one(FlowFile, take_in(example.line(14, None)).file_id)
    with archive.original(file) as stream:
        assert stream.read() == example.line(14, None).encode()


def test_what_is_no_flow_file_is_not_kept(take_in, archive_url):
    assert db.session.get_one(FlowFile, take_in("hello\n").file_id).archive_key is None


def test_a_dry_run_and_a_duplicate_leave_nothing_in_the_folder(take_in, example, app, tmp_path):
    settings = app.extensions["settings"]
    app.extensions["settings"] = replace(settings, files_url=str(tmp_path))
    take_in(example, is_dry_run=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    take_in(example)
    take_in(example.replace("\n", "\r\n"))
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    app.extensions["settings"] = settings
    assert [path.name for path in kept] == [hashlib.sha256(example.encode()).hexdigest()]


def test_offsets_survive_their_packing():
    pairs = [(1, 0), (4000, 2**40)]
    assert archive.unpack(archive.pack(pairs)) == pairs


def test_a_folder_may_be_given_as_an_address(take_in, example, app, tmp_path):
    settings = app.extensions["settings"]
    app.extensions["settings"] = replace(settings, files_url=f"file://{tmp_path}")
    file = db.session.get_one(FlowFile, take_in(example).file_id)
    app.extensions["settings"] = settings
    assert (tmp_path / Path(file.archive_key)).read_bytes() == example.encode()
    assert current_settings() is settings
