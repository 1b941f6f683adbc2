import pytest
from sqlalchemy import select

from backend.core.database import db
from backend.domains.flows.models import (
    FlowFile,
    FlowFinding,
    FlowMeter,
    FlowReading,
    FlowSiteVisit,
)


def stored(model):
    return db.session.scalars(select(model).order_by(model.file_id, model.line_number)).all()


def lines():
    return [each.line_number for each in stored(FlowReading)]


def codes(outcome, severity="error"):
    return [each.code for each in outcome.findings if each.severity == severity]


def test_a_file_cut_off_anywhere_is_rejected(take_in, example):
    end = example.rindex("|")
    for cut in (*range(0, end, 29), end):
        outcome = take_in(example[:cut], lenient_footer=True)
        assert outcome.status == "rejected", cut
    assert lines() == []


def test_a_file_without_its_trailer_is_rejected_and_says_so(take_in, example):
    outcome = take_in(example.line(14, None))

    assert outcome.status == "rejected"
    assert "cut off" in outcome.message
    assert (outcome.counters.records, outcome.counters.records_accepted) == (12, 0)


def test_a_whole_file_after_a_cut_off_one_is_no_conflict(take_in, example):
    take_in(example.line(14, None))
    assert take_in(example).status == "imported"


@pytest.mark.parametrize(
    ("old", "new"),
    [("|12||2|", "|99||2|"), ("|12||2|", "|12||3|"), ("QT00000001", "QT00000002")],
    ids=["group count", "flow count", "file id"],
)
def test_a_wrong_footer_is_rejected_unless_leniency_is_asked_for(take_in, example, old, new):
    wrong = example.swap(14, old, new)

    refused = take_in(wrong)
    assert (refused.status, lines()) == ("rejected", [])

    accepted = take_in(wrong, lenient_footer=True)
    assert (accepted.status, accepted.errors, accepted.warnings) == ("imported", 0, 1)
    assert lines() == [4, 5, 9, 13]


BROKEN = {
    "check digit": (2, "6780", "6781", [9, 13]),
    "value with a letter": (5, "1987.5", "19X7.5", [4, 9, 13]),
    "negative value": (5, "1987.5", "-1.0", [4, 9, 13]),
    "no number": (5, "1987.5", "NaN", [4, 9, 13]),
    "exponent": (5, "1987.5", "1e3", [4, 9, 13]),
    "blank serial": (8, "QB2000002", "", [4, 5, 13]),
    "no such day": (9, "20250401", "20250230", [4, 5, 13]),
    "blank reason": (10, "|05|", "||", [4, 5, 9, 13]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_takes_only_what_hangs_on_it(take_in, example, name):
    number, old, new, left = BROKEN[name]

    outcome = take_in(example.swap(number, old, new))

    assert outcome.status == "imported_with_errors"
    assert lines() == left
    assert number in {each.line for each in outcome.findings if each.severity == "error"}


@pytest.mark.parametrize("name", BROKEN)
def test_strict_mode_imports_nothing_of_a_file_with_an_error(take_in, example, name):
    number, old, new, _ = BROKEN[name]

    outcome = take_in(example.swap(number, old, new), strict=True)

    assert (outcome.status, lines()) == ("rejected", [])
    assert "strict" in outcome.message
    assert outcome.counters.readings_accepted == 0
    assert db.session.scalar(select(FlowFinding.line_number)) is not None


def test_children_of_a_rejected_line_never_reach_the_previous_parent(take_in, example):
    take_in(example.swap(8, "QB2000002", ""))

    assert [each.line_number for each in stored(FlowSiteVisit)] == [7]
    assert {each.serial for each in stored(FlowReading)} == {"QA 1000001", "QC3000003"}


def test_a_reading_whose_result_is_rejected_is_suspect_by_its_flag(take_in, example):
    take_in(example.swap(10, "|05|", "||"))

    reading = stored(FlowReading)[2]
    assert (reading.is_flag_valid, reading.is_status_valid, reading.reason_code) == (
        False,
        None,
        None,
    )


def test_a_meter_without_readings_is_listed(take_in, example):
    outcome = take_in(example.line(5, None).line(4, None).counted())

    assert outcome.status == "imported"
    assert [(each.mpan, each.serial) for each in stored(FlowMeter)] == [
        ("9900123456780", "QA 1000001")
    ]


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        (4, "4521.0", "4521.011"),
        (4, "|T|P|", "|T|Z|"),
        (3, "|R|", "|9|"),
        (4, "20250331000000", "20250330013000"),
    ],
    ids=["three decimals", "unknown method", "unknown type", "time that never was"],
)
def test_what_is_odd_but_readable_is_imported_as_sent_with_a_warning(
    take_in, example, number, old, new
):
    outcome = take_in(example.swap(number, old, new))

    assert (outcome.status, outcome.errors) == ("imported", 0)
    assert number in {each.line for each in outcome.findings if each.severity == "warning"}
    first = stored(FlowReading)[0]
    sent = f"{first.reading_at_local:%Y%m%d%H%M%S} {first.value_text} {first.method}"
    assert len(lines()) == 4
    assert new.strip("|").split("|")[-1] in f"{sent} {first.reading_type}"


def test_a_byte_that_is_no_ascii_stays_in_free_text_with_a_warning(take_in, example):
    content = example.encode().replace(b"changed on site", b"chang\xe9 on site")

    outcome = take_in(content)

    assert (outcome.status, outcome.errors, outcome.warnings) == ("imported", 0, 1)
    assert stored(FlowSiteVisit)[0].text == "Meter changé on site"


def test_a_quotation_mark_is_an_ordinary_character(take_in, example):
    outcome = take_in(example.swap(7, "changed", 'changed "'))

    assert (outcome.status, outcome.warnings) == ("imported", 0)
    assert stored(FlowSiteVisit)[0].text == 'Meter changed " on site'


def test_free_text_that_copy_would_misread_is_stored_as_sent(take_in, example):
    text = "tab\t, backslash \\N \\. and \\t"
    take_in(example.swap(7, "Meter changed on site", text))

    assert stored(FlowSiteVisit)[0].text == text


def test_a_test_file_is_rejected_unless_test_data_is_allowed(take_in, example):
    test_file = example.swap(1, "OPER", "TR01")

    assert take_in(test_file).status == "rejected"

    outcome = take_in(test_file, allow_test=True)
    assert (outcome.status, outcome.is_test) == ("imported", True)
    assert db.session.get_one(FlowFile, outcome.file_id).is_test


def test_a_wrong_check_digit_only_warns_where_that_is_the_setting(take_in, example):
    outcome = take_in(example.swap(2, "6780", "6781"), check_digit="warn")

    assert (outcome.status, len(lines())) == ("imported", 4)
    assert outcome.warnings == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.swap(1, "D0010002", "D0150002"),
        lambda text: text.swap(1, "D0010002", "D0010003"),
        lambda text: text + "030|S|20250401000000|0.0|||T|P|\n",
        lambda text: "",
        lambda text: text.splitlines(keepends=True)[0] + "ZPT|QT00000001|0||0||\n",
        lambda text: text.line(6, text.splitlines()[0]),
        lambda text: text.swap(1, "QDCA", ""),
        lambda text: text.swap(1, "20250402061500", "20250432061500"),
        lambda text: text.replace("9900", "9910"),
    ],
    ids=[
        "wrong flow",
        "unsupported version",
        "text after the trailer",
        "empty",
        "no MPAN",
        "second header",
        "blank participant",
        "unreadable creation time",
        "no MPAN accepted",
    ],
)
def test_what_is_wrong_with_the_file_as_a_whole_rejects_it(take_in, example, change):
    outcome = take_in(change(example))

    assert (outcome.status, lines()) == ("rejected", [])
    assert outcome.message
    assert codes(outcome)


def test_a_d0086_with_its_own_group_codes_is_read_the_same(take_in, example):
    mapped = example.replace("D0010", "D0086")
    for old, new in {
        "026": "196",
        "027": "765",
        "028": "197",
        "030": "198",
        "032": "07A",
        "033": "199",
    }.items():
        mapped = mapped.replace(f"\n{old}|", f"\n{new}|")

    outcome = take_in(mapped)

    assert (outcome.status, outcome.flow) == ("imported", "D0086002")
    assert lines() == [4, 5, 9, 13]
