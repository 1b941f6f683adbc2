"""The archive and staged uploads in an object store: a real server of the S3 protocol."""

import hashlib
from dataclasses import replace
from io import BytesIO
from uuid import uuid4

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from backend.core import outbox
from backend.core.database import db
from backend.domains.flows.models import FlowFile
from backend.domains.flows.services import archive, files


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
    yield lambda: keys(client, name)
    client.close()
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def keys(client, bucket):
    return [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


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
