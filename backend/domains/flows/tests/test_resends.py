from sqlalchemy import select

from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowReading
from backend.domains.flows.services import readings
from backend.domains.flows.services.readings import Query
from backend.domains.flows.services.terms import Term

LATER = ("QT00000002", "20250403061500")
LATEST = ("QT00000003", "20250404061500")


def found(text, **filters):
    return readings.search(Query(term=Term.of(text), **filters)).hits


def values(text, **filters):
    return {(each.register, each.value_text) for each in found(text, **filters)}


def test_other_content_under_the_same_business_key_is_quarantined(take_in, example):
    first = take_in(example)

    outcome = take_in(example.swap(4, "4521.0", "4522.0"))

    assert (outcome.status, outcome.conflicts_with_id) == ("quarantined", first.file_id)
    assert f"file {first.file_id}" in outcome.message
    assert values("QA1000001") == {("DY", "4521.0"), ("NT", "1987.5")}
    kept = db.session.get_one(FlowFile, outcome.file_id)
    assert kept.archive_key is not None


def test_a_broken_resend_is_rejected_rather_than_quarantined(take_in, example):
    take_in(example)
    assert take_in(example.line(14, None)).status == "rejected"


def test_a_quarantined_file_blocks_nobody(take_in, example):
    take_in(example)
    changed = example.swap(4, "4521.0", "4522.0")
    assert [take_in(changed).status for _ in range(2)] == ["quarantined", "quarantined"]
    assert take_in(changed.sent(*LATER)).status == "imported"


def test_the_same_name_with_other_content_is_another_file(take_in, example):
    take_in(example, name="same.uff")
    assert take_in(example.sent(*LATER), name="same.uff").status == "imported"


def test_a_later_file_gives_the_current_value_and_the_earlier_one_is_kept(take_in, example):
    first = take_in(example, name="first.uff")
    take_in(example.sent(*LATER).swap(4, "4521.0", "4522.0"), name="second.uff")

    assert values("QA 1000001") == {("DY", "4522.0"), ("NT", "1987.5")}
    superseded = [each for each in found("QA 1000001", has_history=True) if each.is_superseded]
    assert ("DY", "4521.0", first.file_id, "first.uff") in {
        (each.register, each.value_text, each.file_id, each.file_name) for each in superseded
    }


def test_the_projection_does_not_depend_on_the_order_of_import(take_in, example):
    take_in(example.sent(*LATER).swap(4, "4521.0", "4522.0"))
    take_in(example)

    assert values("QA 1000001") == {("DY", "4522.0"), ("NT", "1987.5")}


def test_a_withdrawal_leaves_no_current_reading_and_the_history(take_in, example):
    take_in(example)
    take_in(example.sent(*LATER).swap(3, "|R|", "|W|"))

    assert all(each.is_withdrawn for each in found("QA1000001"))
    assert found("QA1000001", is_usable_only=True) == []
    history = found("QA1000001", has_history=True)
    assert sorted((each.register, each.reading_type, each.is_withdrawn) for each in history) == [
        ("DY", "R", True),
        ("DY", "W", False),
        ("NT", "R", True),
        ("NT", "W", False),
    ]


def test_a_reading_after_a_withdrawal_is_current_again(take_in, example):
    take_in(example)
    take_in(example.sent(*LATER).swap(3, "|R|", "|W|"))
    take_in(example.sent(*LATEST).swap(4, "4521.0", "4523.0"))

    current = {
        (each.register, each.value_text)
        for each in found("QA1000001", is_usable_only=True)
        if not each.is_superseded
    }
    assert ("DY", "4523.0") in current


def test_a_serial_at_another_mpan_is_another_meter(take_in, example):
    take_in(example)
    take_in(example.sent(*LATER).swap(8, "QB2000002", "QA 1000001"))

    meters = db.session.execute(select(FlowReading.mpan, FlowReading.serial).distinct()).all()
    assert ("9900123456780", "QA 1000001") in meters
    assert ("9900876543215", "QA 1000001") in meters
    assert values("9900123456780") == {("DY", "4521.0"), ("NT", "1987.5")}


def test_readings_of_a_test_file_are_not_found(take_in, example):
    take_in(example.swap(1, "OPER", "TR01"), allow_test=True)
    assert found("9900123456780") == []


def test_a_reading_that_failed_and_was_accepted_says_so(take_in, example):
    take_in(example)
    assert [each.badges for each in found("QB2000002")] == [("failed, then accepted",)]


def test_a_rejected_result_leaves_the_reading_suspect(take_in, example):
    take_in(example.swap(10, "|05|", "||"))
    assert [each.badges for each in found("QB2000002")] == [("suspect",)]
