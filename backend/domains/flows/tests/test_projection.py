from itertools import permutations
from string import ascii_uppercase

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowReading
from backend.domains.flows.services import readings
from backend.domains.flows.services.readings import Query
from backend.domains.flows.services.terms import Term

EARLIER, LATER, LATEST = "2025-04-02T06:15", "2025-04-03T06:15", "2025-04-04T06:15"


def search(text="9900123456780", **filters):
    return readings.search(Query(term=Term.of(text), **filters)).hits


def values(**filters):
    return [each.value_text for each in search(**filters)]


def standing(**filters):
    return [
        (each.value_text, each.reading_type, each.is_superseded, each.is_withdrawn)
        for each in search(has_history=True, **filters)
    ]


def test_a_final_and_an_initial_reading_of_one_register_at_one_time_both_stand(bring):
    bring({"reading_type": "F", "value_text": "5.0"}, {"reading_type": "I", "value_text": "0.0"})
    assert sorted(values()) == ["0.0", "5.0"]


def test_a_correction_supersedes_and_the_earlier_value_is_kept_with_its_file(bring):
    bring({"value_text": "1.0"}, created=EARLIER, name="first.uff")
    bring({"value_text": "2.0"}, created=LATER, name="second.uff")
    assert values() == ["2.0"]
    assert [(each.value_text, each.file_name) for each in search(has_history=True)] == [
        ("2.0", "second.uff"),
        ("1.0", "first.uff"),
    ]


def test_a_file_created_earlier_but_imported_later_does_not_become_current(bring):
    bring({"value_text": "2.0"}, created=LATER)
    bring({"value_text": "1.0"}, created=EARLIER)
    assert values() == ["2.0"]


def test_files_created_at_the_same_second_stand_in_the_order_of_their_import(bring):
    bring({"value_text": "1.0"})
    bring({"value_text": "2.0"})
    assert values() == ["2.0"]


def test_of_an_equal_key_twice_in_a_file_the_later_line_is_current(bring):
    bring({"value_text": "1.0"}, {"value_text": "2.0"})
    assert standing() == [("2.0", "R", False, False), ("1.0", "R", True, False)]


def test_the_serial_is_compared_without_spaces_and_case_and_shown_as_sent(bring):
    bring({"serial": "qa1000001", "value_text": "1.0"}, created=EARLIER)
    bring({"serial": "QA 1000001", "value_text": "2.0"}, created=LATER)
    assert [(each.serial, each.value_text) for each in search()] == [("QA 1000001", "2.0")]


@pytest.mark.parametrize(
    "other",
    [
        {"register": "NT"},
        {"serial": "QB2000002"},
        {"mpan": "9900876543215"},
        {"reading_at_local": "2025-03-31T00:30"},
        {"reading_type": "F"},
    ],
)
def test_a_reading_with_another_part_of_the_key_supersedes_nothing(bring, other):
    bring({}, created=EARLIER)
    bring(other, created=LATER)
    assert not any(each.is_superseded for each in search(has_history=True))


def test_a_leading_zero_tells_registers_apart(bring):
    bring({"register": "01", "value_text": "1.0"}, {"register": "1", "value_text": "2.0"})
    assert sorted(values()) == ["1.0", "2.0"]


def test_a_withdrawal_takes_back_every_earlier_reading_of_any_type(bring):
    bring({"value_text": "1.0"}, {"reading_type": "F", "value_text": "2.0"}, created=EARLIER)
    bring({"reading_type": "W", "value_text": "0.0"}, created=LATER)
    assert standing() == [
        ("0.0", "W", False, False),
        ("2.0", "F", False, True),
        ("1.0", "R", False, True),
    ]


def test_a_withdrawal_is_never_shown_as_a_normal_reading(bring):
    bring({"value_text": "1.0"}, created=EARLIER)
    bring({"reading_type": "W", "value_text": "0.0"}, created=LATER)
    (shown,) = search()
    assert (shown.value_text, shown.is_withdrawn) == ("1.0", True)
    assert values(is_usable_only=True) == []


def test_a_withdrawal_of_another_register_or_time_takes_nothing_back(bring):
    bring({}, created=EARLIER)
    bring(
        {"reading_type": "W", "register": "NT"},
        {"reading_type": "W", "reading_at_local": "2025-04-01"},
        created=LATER,
    )
    assert not any(each.is_withdrawn for each in search(has_history=True))


def test_a_reading_after_the_withdrawal_is_current_again(bring):
    bring({"value_text": "1.0"}, created=EARLIER)
    bring({"reading_type": "W", "value_text": "0.0"}, created=LATER)
    bring({"value_text": "3.0"}, created=LATEST)
    assert standing() == [
        ("3.0", "R", False, False),
        ("0.0", "W", False, False),
        ("1.0", "R", True, True),
    ]
    assert values() == ["3.0"]


def test_a_withdrawal_without_an_earlier_reading_is_an_orphan(bring):
    bring({"reading_type": "W"}, created=EARLIER)
    (orphan,) = search(has_history=True)
    assert orphan.badges[:2] == ("withdrawal", "without match")
    assert search() == []


def test_a_withdrawal_made_before_the_reading_takes_nothing_back(bring):
    bring({"reading_type": "W", "value_text": "0.0"}, created=EARLIER)
    bring({"value_text": "1.0"}, created=LATER)
    (shown,) = search()
    assert not shown.is_withdrawn
    assert [each.is_without_match for each in search(has_history=True)] == [False, True]


def test_the_reading_of_a_test_file_is_hidden_and_supersedes_nothing(bring):
    bring({"value_text": "1.0"}, created=EARLIER)
    trial = bring({"value_text": "9.0"}, {"reading_type": "W"}, created=LATER, is_test=True)
    assert standing() == [("1.0", "R", False, False)]
    alone = readings.one(file_id=trial.id, line_number=4)
    assert alone.badges == ("test data", "valid")
    assert readings.history(alone) == [alone]


def test_readings_of_both_flows_share_one_projection(bring):
    bring({"value_text": "1.0"}, created=EARLIER)
    bring({"value_text": "2.0"}, created=LATER, flow="D0086")
    (shown,) = search()
    assert (shown.value_text, shown.flow) == ("2.0", "D0086")


@pytest.mark.parametrize(
    ("sent", "badges"),
    [
        ({}, ("valid",)),
        ({"bsc_status": "F"}, ("failed",)),
        ({"bsc_status": "U"}, ("not validated",)),
        ({"bsc_status": "Q"}, ("unknown status",)),
        ({"is_flag_valid": False}, ("suspect",)),
        ({"is_flag_valid": False, "is_status_valid": False}, ("suspect",)),
        ({"is_flag_valid": False, "is_status_valid": True}, ("failed, then accepted",)),
        ({"is_flag_valid": True, "is_status_valid": False}, ("suspect",)),
        ({"is_flag_valid": None}, ("no verdict",)),
        ({"is_flag_valid": None, "is_status_valid": True}, ("valid",)),
    ],
)
def test_the_verdict_is_the_status_else_the_flag_else_unknown(bring, sent, badges):
    bring(sent)
    (shown,) = search()
    assert shown.badges == badges


def test_a_superseded_reading_is_not_called_valid(bring):
    bring({}, {})
    assert [each.badges for each in search(has_history=True)] == [("valid",), ("superseded",)]


def test_valid_only_means_validated_and_not_suspect(bring):
    sent = [
        {"register": "A"},
        {"register": "B", "bsc_status": "U"},
        {"register": "C", "bsc_status": "F"},
        {"register": "D", "is_flag_valid": False},
        {"register": "E", "is_flag_valid": False, "is_status_valid": True},
        {"register": "F", "is_flag_valid": None},
    ]
    bring(*sent)
    assert {each.register for each in search(is_usable_only=True)} == {"A", "E", "F"}


def projected():
    """Name each reading by its value: which are current, and how the others ended."""
    return sorted(
        (each.value_text, each.is_superseded, each.is_withdrawn, each.is_without_match)
        for each in search(has_history=True)
    )


DELIVERIES = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from("RFW"),
            st.sampled_from(["DY", "NT"]),
            st.sampled_from(["QA1", "QB1"]),
            st.sampled_from(["2025-03-31", "2025-04-01"]),
        ),
        min_size=1,
        max_size=4,
    ),
    min_size=2,
    max_size=3,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(DELIVERIES)
def test_the_projection_does_not_depend_on_the_order_of_import(bring, deliveries):
    names = ("mpan", "reading_type", "register", "serial", "reading_at_local", "value_text")
    mpan = "9900123456780"
    files = [
        (
            f"2025-04-{2 + number:02}T06:15",
            [
                dict(zip(names, (mpan, *said, f"{number}.{line}"), strict=True))
                for line, said in enumerate(lines)
            ],
        )
        for number, lines in enumerate(deliveries)
    ]
    results = []
    for order in permutations(files):
        for created, lines in order:
            bring(*lines, created=created)
        results.append(projected())
        db.session.execute(delete(FlowReading))
        db.session.execute(delete(FlowFile))
    assert all(each == results[0] for each in results)
    assert results[0] == expected(files)


def expected(files):
    """Work the same out by reading the rules aloud, one pair of lines at a time."""
    said = [reading for _, lines in files for reading in lines]
    at = [(each["serial"], each["register"], each["reading_at_local"]) for each in said]
    found = []
    for place, each in enumerate(said):
        same = [other for other in range(len(said)) if at[other] == at[place]]
        later = [said[other]["reading_type"] for other in same if other > place]
        earlier = [said[other]["reading_type"] for other in same if other < place]
        is_w = each["reading_type"] == "W"
        found.append(
            (
                each["value_text"],
                each["reading_type"] in later,
                not is_w and "W" in later,
                is_w and not set(earlier) - {"W"},
            )
        )
    return sorted(found)


def test_the_letters_of_a_serial_do_not_matter_for_its_key(bring):
    bring({"serial": ascii_uppercase[:8]}, {"serial": ascii_uppercase[:8].lower()})
    assert [each.is_superseded for each in search("ABCD EFGH", has_history=True)] == [False, True]
