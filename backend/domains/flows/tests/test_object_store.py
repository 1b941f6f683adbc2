"""The archive and staged uploads in an object store: a real server of the S3 protocol."""

import hashlib
from dataclasses import replace
from io import BytesIO
from tempfile import TemporaryFile
from uuid import uuid4

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer
from sqlalchemy import select

from backend.core import files as core_files
from backend.core import outbox
from backend.core.database import db
from backend.domains.flows.models import FlowFile
from backend.domains.flows.services import archive, files

MEGABYTE = 1024 * 1024


@pytest.fixture
def bucket(real_database, monkeypatch):
    """An empty bucket that is the settings' place for files."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-2",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3", endpoint_url=address)
    where = {"LocationConstraint": "eu-west-2"}
    name = f"quintet-{uuid4().hex}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration=where)
    settings = replace(
        real_database.extensions["settings"],
        files_url=f"s3://{name}/local",
        flows_async_bytes=100,
    )
    monkeypatch.setitem(real_database.extensions, "settings", settings)
    yield Bucket(client, name)
    client.close()
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


class Bucket:
    def __init__(self, client, name):
        self._ask = {"Bucket": name}
        self._client = client

    def __call__(self):
        """Return the keys of all objects."""
        return [
            each["Key"] for each in self._client.list_objects_v2(**self._ask).get("Contents", [])
        ]

    def unfinished(self):
        """Return the uploads in parts that were neither ended nor given up."""
        return self._client.list_multipart_uploads(**self._ask).get("Uploads", [])

    def parts(self, key):
        """Return of how many parts an object was made; its tag tells."""
        tag = self._client.head_object(Key=key, **self._ask)["ETag"]
        return int(tag.strip('"').partition("-")[2])

    def size(self, key):
        return self._client.head_object(Key=key, **self._ask)["ContentLength"]


class Failing(BytesIO):
    """Bytes that cannot be read beyond some point."""

    def read(self, size=-1):
        if self.tell() > 20 * MEGABYTE:
            raise OSError("the disk is gone")
        return super().read(size)


def test_a_large_object_goes_in_small_parts(bucket):
    with TemporaryFile() as copy:
        copy.truncate(40 * MEGABYTE)
        core_files.keep(copy, "flows/large")
    assert bucket.size("local/flows/large") == 40 * MEGABYTE
    assert bucket.parts("local/flows/large") == 5
    assert bucket.unfinished() == []


def test_an_object_whose_upload_fails_is_not_there_and_no_part_of_it_stays(bucket):
    with pytest.raises(core_files.FilesUnavailable):
        core_files.keep(Failing(bytes(30 * MEGABYTE)), "flows/cut")
    assert bucket() == []
    assert bucket.unfinished() == []


def test_a_store_that_is_away_is_a_reason_to_repeat(bucket, signed_in, example, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    staff = signed_in("staff")
    sent = {"files": [(BytesIO(example.encode()), "a.uff")]}
    assert staff.post("/api/flows/files", data=sent).status_code == 503
    assert db.session.scalars(select(FlowFile)).all() == []


def test_an_original_is_kept_under_its_hash_and_leads_to_its_lines(bucket, take_in, example):
    file = db.session.get_one(FlowFile, take_in(example).file_id)

    digest = hashlib.sha256(example.encode()).hexdigest()
    assert bucket() == [f"local/flows/{digest[:2]}/{digest}"]
    with archive.original(file) as stream:
        assert stream.read() == example.encode()
    lines = {each.number: each.text for each in files.lines_around(file, 5)}
    assert lines[5] == "030|NT|20250331000000|1987.5|||T|P|"


def test_the_same_bytes_again_stay_as_they_are(bucket, take_in, example):
    changed = example.swap(4, "4521.0", "4522.0")
    take_in(example)
    for _ in range(2):
        take_in(changed)
    assert len(bucket()) == 2


def test_a_staged_upload_is_imported_from_there_and_removed(bucket, signed_in, example):
    staff = signed_in("staff")
    response = staff.post(
        "/api/flows/files", data={"files": [(BytesIO(example.encode()), "big.uff")]}
    )
    assert response.status_code == 202
    assert ["/staged/" in key for key in bucket()] == [True]

    outbox.run_due()

    assert staff.get(response.headers["Location"]).json["data"]["status"] == "imported"
    assert ["/staged/" in key for key in bucket()] == [False]
