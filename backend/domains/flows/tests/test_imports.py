from io import BytesIO

import pytest
from sqlalchemy import select

from backend.core.database import db
from backend.domains.flows import sample
from backend.domains.flows.models import (
    FlowFile,
    FlowFinding,
    FlowReading,
    FlowSiteVisit,
)

EXAMPLE_HASH = "e2d28a9775fe6de2330b6e758d4935adccf1661a3fc0a2c1dda7b5e1c28b37a4"


def stored(model):
    return db.session.scalars(select(model).order_by(model.file_id, model.line_number)).all()


def lines():
    return [each.line_number for each in stored(FlowReading)]


def codes(outcome, severity="error"):
    return [each.code for each in outcome.findings if each.severity == severity]


def test_a_file_is_imported_line_by_line(take_in, example):
    outcome = take_in(example)

    assert (outcome.status, outcome.errors, outcome.warnings) == ("imported", 0, 0)
    assert outcome.message == "4 readings imported."
    assert [(each.line_number, each.mpan, each.serial) for each in stored(FlowReading)] == [
        (4, "9900123456780", "QA 1000001"),
        (5, "9900123456780", "QA 1000001"),
        (9, "9900876543215", "QB2000002"),
        (13, "9900876543215", "QC3000003"),
    ]
    assert [
        (each.line_number, each.parent_line, each.parent_group, each.serial, each.text)
        for each in stored(FlowSiteVisit)
    ] == [
        (7, 6, "026", None, "Meter changed on site"),
        (11, 9, "030", "QB2000002", "Dial stopped"),
    ]


def test_a_reading_keeps_all_that_was_sent_of_it(take_in, example):
    take_in(example.line(9, "030|S|20250401000000|48210.0|20250331120000|1|F|P|"))

    reading = stored(FlowReading)[2]
    assert (str(reading.value), reading.value_text) == ("48210.000", "48210.0")
    assert (str(reading.md_reset_at), reading.md_resets) == ("2025-03-31 12:00:00", 1)
    assert (reading.is_flag_valid, reading.reason_code, reading.is_status_valid) == (
        False,
        "05",
        True,
    )
    assert (reading.serial_key, reading.register, reading.method) == ("QB2000002", "S", "P")


def test_the_receipt_says_who_brought_what(take_in, example):
    outcome = take_in(example, name="readings.uff", lenient_footer=True)

    file = db.session.get_one(FlowFile, outcome.file_id)
    assert (file.name, file.channel, file.actor) == ("readings.uff", "cli", "test")
    assert (file.flow, file.version, file.file_identifier) == ("D0010", "002", "QT00000001")
    assert (file.from_role, file.from_participant) == ("D", "QDCA")
    assert file.options["lenient_footer"] is True
    assert (file.size_bytes, file.content_hash) == (len(example), EXAMPLE_HASH)
    assert (file.declared_groups, file.declared_roots) == (12, 2)
    assert (file.records_total, file.roots_total, file.readings_total) == (12, 2, 4)
    assert file.finished_at >= file.started_at


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.rstrip(b"\n"),
    ],
    ids=["other name", "CRLF", "BOM", "no final newline"],
)
def test_the_same_content_again_is_a_duplicate_and_its_receipt_is_kept(take_in, example, change):
    first = take_in(example)

    again = take_in(change(example.encode()), name="other.uff")

    assert (again.status, again.duplicate_of_id) == ("duplicate", first.file_id)
    assert again.message.startswith(f"Already imported as file {first.file_id} (example.uff)")
    assert len(lines()) == 4
    receipt = db.session.get_one(FlowFile, again.file_id)
    assert (receipt.name, receipt.status) == ("other.uff", "duplicate")
    assert (receipt.content_hash, receipt.readings_accepted) == (EXAMPLE_HASH, 0)


def test_findings_are_kept_with_their_place(take_in, example):
    outcome = take_in(example.swap(5, "1987.5", "19X7.5"))

    finding = db.session.scalars(select(FlowFinding)).one()
    assert (finding.file_id, finding.number, finding.severity) == (outcome.file_id, 1, "error")
    assert (finding.line_number, finding.group_code, finding.item) == (5, "030", "J0040")
    assert finding.value == "19X7.5"


def test_counters_tell_accepted_from_rejected(take_in, example):
    outcome = take_in(example.swap(8, "QB2000002", ""))

    counters = outcome.counters
    assert (counters.records, counters.records_accepted, counters.records_rejected) == (12, 8, 4)
    assert (counters.readings, counters.readings_accepted, counters.readings_rejected) == (4, 3, 1)
    assert (counters.root_groups_accepted, counters.root_groups_rejected) == (2, 0)


def test_findings_are_capped_and_their_totals_are_not(take_in, example):
    odd = "030|DY|20250331000000|1.0|||T|Z|\n" * 12_000
    content = example.splitlines(keepends=True)
    outcome = take_in(type(example)("".join([*content[:3], odd, *content[3:]])).counted())

    assert (outcome.status, outcome.warnings >= 12_000) == ("imported", True)
    assert db.session.query(FlowFinding).count() == 10_000
    assert db.session.get_one(FlowFile, outcome.file_id).warnings_total == outcome.warnings


def test_a_generated_file_is_valid_and_holds_so_many_readings(take_in):
    stream = BytesIO()
    sample.write_sample(stream, readings=1000)

    outcome = take_in(stream.getvalue())

    assert (outcome.status, outcome.errors) == ("imported", 0)
    assert outcome.counters.readings_accepted == len(lines()) == 1000


def test_a_dry_run_judges_everything_and_stores_nothing(take_in, example):
    outcome = take_in(example.swap(5, "1987.5", "19X7.5"), is_dry_run=True)

    assert (outcome.status, outcome.file_id) == ("imported_with_errors", None)
    assert outcome.counters.readings_accepted == 3
    assert codes(outcome)
    assert db.session.query(FlowFile).count() == 0
    assert lines() == []


def test_a_dry_run_knows_what_is_there(take_in, example):
    first = take_in(example)

    assert take_in(example, is_dry_run=True).duplicate_of_id == first.file_id
    assert db.session.query(FlowFile).count() == 1


def test_a_file_that_is_not_the_promised_one_is_rejected(take_in, example):
    assert take_in(example, delivery={"sha256": "0" * 64}).status == "rejected"
    assert take_in(example, delivery={"sha256": EXAMPLE_HASH.upper()}).status == "imported"


def test_more_than_the_size_limit_is_rejected(take_in, example):
    outcome = take_in(example, delivery={"size_limit": 300})

    assert (outcome.status, codes(outcome)) == ("rejected", ["over-size-limit"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\flows\\one.uff", "one.uff"),
        ("two\n\x00.uff", "two��.uff"),
        ("\udcff.uff", "�.uff"),
        ("x" * 300, "x" * 255),
        ("/", "unnamed"),
        ("   ", "unnamed"),
        ("in/ /", "unnamed"),
    ],
)
def test_a_name_is_a_label_without_folders_or_control_characters(take_in, example, sent, kept):
    outcome = take_in(example, name=sent)
    assert outcome.name == db.session.get_one(FlowFile, outcome.file_id).name == kept


def test_a_finding_may_quote_what_the_database_cannot_hold(take_in, example):
    outcome = take_in(example.swap(3, "QA 1000001", "QA\x001000001"))

    assert outcome.status == "imported_with_errors"
    assert lines() == [9, 13]
