from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import func, select

from backend.core import outbox
from backend.core.config import current_settings
from backend.core.database import db
from backend.domains.flows import sample
from backend.domains.flows.models import FlowFile, FlowReading, FlowWaiting
from backend.domains.flows.services import waiting

FILES = "/api/flows/files"


@pytest.fixture
def staff(signed_in):
    return signed_in("staff")


@pytest.fixture
def small_limit(app, monkeypatch, own_files):
    """Have every file be imported by a job, and its bytes wait where no other test looks."""
    settings = replace(app.extensions["settings"], flows_async_bytes=100)
    monkeypatch.setitem(app.extensions, "settings", settings)


def send(client, *contents, names=(), **fields):
    contents = [each if isinstance(each, bytes) else each.encode() for each in contents]
    names = names or [f"{number}.uff" for number in range(len(contents))]
    files = [(BytesIO(each), name) for each, name in zip(contents, names, strict=True)]
    return client.post(FILES, data={"files": files, **fields})


def readings():
    return db.session.scalar(select(func.count()).select_from(FlowReading))


def test_a_good_file_is_imported_and_its_address_is_told(staff, example):
    response = send(staff, example, names=["april.uff"])

    assert response.status_code == 201
    (result,) = response.json["data"]
    assert (result["status"], result["readings"]["accepted"]) == ("imported", 4)
    file = staff.get(response.headers["Location"]).json["data"]
    assert (file["name"], file["channel"], file["actor"]) == (
        "april.uff",
        "rest",
        staff.person.email,
    )


def test_a_file_with_errors_is_imported_with_its_first_findings_and_the_way_to_all(staff, example):
    response = send(staff, example.swap(5, "1987.5", "19X7.5"))

    assert response.status_code == 201
    (result,) = response.json["data"]
    assert (result["status"], result["findings"][0]["line"]) == ("imported_with_errors", 5)
    (finding,) = staff.get(result["links"]["findings"]).json["data"]
    assert (finding["line_number"], finding["item"], finding["severity"]) == (5, "J0040", "error")


def test_the_same_file_again_is_a_duplicate_that_names_the_first(staff, example):
    first = send(staff, example).json["data"][0]["file_id"]

    response = send(staff, example.replace("\n", "\r\n"), names=["other.uff"])

    assert response.status_code == 200
    assert response.json["data"][0]["duplicate_of_id"] == first
    assert readings() == 4


def test_a_conflicting_resend_is_a_problem_and_lies_in_quarantine(staff, example):
    send(staff, example)

    response = send(staff, example.swap(4, "4521.0", "4522.0"))

    assert response.status_code == 409
    assert response.mimetype == "application/problem+json"
    assert response.json["type"] == "/problems/file-quarantined"
    assert response.json["data"][0]["status"] == "quarantined"
    assert readings() == 4


def test_a_rejected_file_is_a_problem_whose_errors_name_lines(staff, example):
    response = send(staff, example.swap(10, "05", ""), strict="true")

    assert response.status_code == 422
    assert response.json["type"] == "/problems/file-rejected"
    assert [each["line"] for each in response.json["errors"]] == [10]
    file_id = response.json["data"][0]["file_id"]
    assert staff.get(f"{FILES}/{file_id}").json["data"]["status"] == "rejected"


@pytest.mark.parametrize(
    ("content", "word"), [(b"PK\3\4 a sheet", "ZHV"), (b"mpan,value\n1,2\n", "ZHV"), (b"", "empty")]
)
def test_what_is_no_flow_file_is_refused_with_what_was_expected(staff, content, word):
    response = send(staff, content)
    assert response.status_code == 422
    assert word in response.json["detail"]
    # A file without lines has none to name.
    assert all(isinstance(each.get("line", 1), int) for each in response.json["errors"])


def test_several_files_have_each_their_own_result(staff, example):
    response = send(staff, example, "hello", example)

    assert response.status_code == 207
    found = [(each["http_status"], each["status"]) for each in response.json["data"]]
    assert found == [(201, "imported"), (422, "rejected"), (200, "duplicate")]


def test_of_several_rejected_files_each_error_names_its_own(staff, example):
    response = send(staff, "hello", example.line(14, None), names=["a.uff", "b.uff"])

    assert response.status_code == 422
    assert [each["detail"][:7] for each in response.json["errors"]] == ["a.uff: ", "b.uff: "]
    assert "b.uff: " in response.json["detail"]
    alone = send(staff, "hello", names=["a.uff"]).json
    assert "a.uff" not in alone["detail"] + alone["errors"][0]["detail"]


def test_the_findings_of_a_file_are_led_to_with_what_else_is_asked(staff, bring):
    file = bring()
    answer = staff.get(f"{FILES}/{file.id}/findings?severity=error&file_id=1&limit=5")
    assert (answer.status_code, answer.location) == (
        308,
        f"/api/flows/findings?severity=error&file_id={file.id}&limit=5",
    )
    assert staff.get(f"{FILES}/{file.id + 1}/findings").status_code == 404


def test_options_are_those_of_the_command(staff, example):
    test_data = example.replace("OPER", "TR01")
    assert send(staff, test_data).status_code == 422
    assert send(staff, test_data, allow_test="true").status_code == 201


@pytest.mark.parametrize(
    ("fields", "place"), [({"strict": "perhaps"}, "/strict"), ({"stric": "1"}, "/stric")]
)
def test_an_option_that_is_not_understood_is_refused(staff, example, fields, place):
    response = send(staff, example, **fields)
    assert response.status_code == 422
    assert response.json["errors"][0]["pointer"] == place


def test_a_file_in_another_field_is_refused_by_the_name_of_its_field(staff, example):
    response = send(staff, example, file=(BytesIO(example.encode()), "b.uff"))
    assert response.status_code == 422
    assert [each["pointer"] for each in response.json["errors"]] == ["/file"]
    assert db.session.scalars(select(FlowFile)).all() == []


def test_an_upload_without_files_is_refused(staff):
    response = staff.post(FILES, data={"strict": "true"})
    assert (response.status_code, response.json["errors"][0]["code"]) == (422, "missing")


def test_more_than_the_limit_is_refused_before_it_is_read(staff):
    too_long = {"CONTENT_LENGTH": str(10**9 + 1), "CONTENT_TYPE": "multipart/form-data"}
    assert staff.post(FILES, environ_overrides=too_long).status_code == 413


def test_a_file_may_be_larger_than_what_other_addresses_take(staff):
    out = BytesIO()
    sample.write_sample(out, readings=10_000)
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="big.uff"\r\n\r\n'
    body = head + out.getvalue() + b"\r\n--x--\r\n"
    assert len(body) > 256 * 1024
    response = staff.post(FILES, data=body, content_type="multipart/form-data; boundary=x")
    assert response.status_code == 201


@pytest.fixture
def own_files(app, tmp_path, monkeypatch):
    settings = replace(app.extensions["settings"], files_url=str(tmp_path / "files"))
    monkeypatch.setitem(app.extensions, "settings", settings)


HOSTILE = ["../../../../tmp/x.uff", "/etc/passwd", "a\\..\\b.uff", "x" * 5000, ".hidden", "a\x01b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_changes_nothing_on_disk(staff, example, own_files, tmp_path, name):
    file_id = send(staff, example, names=[name]).json["data"][0]["file_id"]

    file = db.session.get_one(FlowFile, file_id)
    assert len(file.name) <= 255
    assert "/" not in file.name
    assert file.name.isprintable()
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in kept] == [file.raw_hash]


def test_a_large_file_is_accepted_and_imported_by_a_job(real_database, staff, example, small_limit):
    response = send(staff, example)

    assert response.status_code == 202
    address = response.headers["Location"]
    assert staff.get(address).json["data"]["status"] == "waiting"
    assert list(outbox.run_due().values()) == ["done"]
    answer = staff.get(address).json
    assert answer["data"]["status"] == "imported"
    progress = staff.get(f"{address}/progress").json["data"]
    assert progress == {"status": "imported", "progress": None}
    assert readings() == 4
    assert staged() == []


def test_a_large_file_that_is_none_is_refused_at_once(staff, small_limit):
    assert send(staff, b"x" * 1000).status_code == 422
    assert staged() == []


def test_a_large_file_sent_twice_is_imported_once(real_database, staff, example, small_limit):
    ids = [send(staff, example).json["data"][0]["file_id"] for _ in range(2)]

    outbox.run_due()

    found = {id_: staff.get(f"{FILES}/{id_}").json["data"] for id_ in ids}
    assert sorted(each["status"] for each in found.values()) == ["duplicate", "imported"]
    assert readings() == 4
    assert staged() == []


def test_a_job_that_is_done_twice_imports_once(real_database, staff, example, small_limit):
    file_id = send(staff, example).json["data"][0]["file_id"]

    waiting.import_one(file_id)
    waiting.import_one(file_id)

    assert readings() == 4
    assert db.session.scalars(select(FlowFile.status)).all() == ["imported"]


def test_a_file_that_fails_three_times_is_given_up_and_its_bytes_are_kept(
    real_database, staff, example, small_limit, broken_table
):
    file_id = send(staff, example).json["data"][0]["file_id"]
    outcomes = []
    for _ in range(3):
        try:
            waiting.import_one(file_id)
        except waiting.NotImported:
            outcomes.append(db.session.get(FlowFile, file_id, populate_existing=True).status)

    assert outcomes == ["waiting", "waiting"]
    db.session.rollback()
    assert staff.get(f"{FILES}/{file_id}/progress").json["data"] == {
        "status": "failed",
        "progress": None,
    }
    assert len(staged()) == 1
    assert db.session.get(FlowWaiting, file_id) is not None


def staged():
    root = Path(current_settings().files_url) / "flows" / "staged"
    return [path for path in root.rglob("*") if path.is_file()]


def test_readings_are_listed_by_mpan_or_serial_with_file_and_line(staff, example):
    send(staff, example, names=["april.uff"])

    by_mpan = staff.get("/api/flows/readings?mpan=99 0012 3456 780").json
    by_serial = staff.get("/api/flows/readings?serial_key=qa 1000001").json

    assert by_mpan["data"] == by_serial["data"]
    found = {
        (each["file_name"], each["line_number"], each["value_text"]) for each in by_mpan["data"]
    }
    assert found == {("april.uff", 4, "4521.0"), ("april.uff", 5, "1987.5")}


def test_lists_go_on_where_the_page_ended(staff, bring):
    for _ in range(60):
        bring()
    first = staff.get(FILES, query_string={"limit": 40}).json
    cursor = first["page"]["next"]
    rest = staff.get(FILES, query_string={"limit": 40, "cursor": cursor}).json
    ids = [each["id"] for each in first["data"] + rest["data"]]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), rest["page"]["next"]) == (60, None)


def test_files_are_listed_by_status(staff, bring):
    bring(status="rejected")
    bring()
    found = staff.get(f"{FILES}?status=rejected").json["data"]
    assert [each["status"] for each in found] == ["rejected"]
    assert staff.get(f"{FILES}?status=lost").status_code == 400
