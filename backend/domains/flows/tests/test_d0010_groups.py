import pytest


def test_readings_come_with_all_that_stands_above_and_below_them(judge, example):
    day, night, old, new = judge(example).readings
    assert day == {
        "line_number": "4",
        "mpan": "9900123456780",
        "bsc_status": "V",
        "serial": "QA 1000001",
        "serial_key": "QA1000001",
        "reading_type": "R",
        "register": "DY",
        "reading_at_local": "2025-03-31 00:00:00",
        "value": "4521.0",
        "value_text": "4521.0",
        "md_reset_at": None,
        "md_resets": None,
        "is_flag_valid": "T",
        "method": "P",
        "reason_code": None,
        "is_status_valid": None,
    }
    change = {"line_number": "5", "register": "NT", "value": "1987.5", "value_text": "1987.5"}
    assert night == day | change
    assert (old["serial"], old["reading_type"], old["value"]) == ("QB2000002", "F", "48210.0")
    assert (old["is_flag_valid"], old["reason_code"], old["is_status_valid"]) == ("F", "05", "T")
    assert (new["serial"], new["reading_type"], new["value"]) == ("QC3000003", "I", "0.0")
    assert (new["reason_code"], new["is_status_valid"]) == (None, None)


def test_site_visits_come_with_their_parent(judge, example):
    judged = judge(example)

    assert [list(each.values()) for each in judged.visits] == [
        ["7", "6", "026", "9900876543215", None, None, "10", "Meter changed on site"],
        ["11", "9", "030", "9900876543215", "QB2000002", "S", "15", "Dial stopped"],
    ]
    assert judged.meters == judged.findings == []


def test_counters_tell_what_was_accepted(judge, example):
    counters = judge(example.swap(8, "QB2000002", "")).counters

    assert (counters.records, counters.records_accepted, counters.records_rejected) == (12, 8, 4)
    assert (counters.root_groups, counters.root_groups_accepted) == (2, 2)
    assert (counters.readings, counters.readings_accepted, counters.readings_rejected) == (4, 3, 1)
    assert (counters.errors, counters.warnings) == (4, 0)


@pytest.mark.parametrize(
    ("change", "rejected", "readings"),
    [
        ((2, "6780", "6781"), [2, 3, 4, 5], [9, 13]),
        ((8, "QB2000002", ""), [8, 9, 10, 11], [4, 5, 13]),
        ((9, "20250401000000", "20250230000000"), [9, 10, 11], [4, 5, 13]),
        ((5, "1987.5", "19X7.5"), [5], [4, 9, 13]),
        ((10, "05", ""), [10], [4, 5, 9, 13]),
        ((7, "10", ""), [7], [4, 5, 9, 13]),
        ((11, "15", "x"), [11], [4, 5, 9, 13]),
        ((12, "|I|", "||"), [12, 13], [4, 5, 9]),
    ],
)
def test_a_broken_group_takes_its_subtree_along_and_nothing_else(
    judge, example, change, rejected, readings
):
    judged = judge(example.swap(*change))

    assert [line for line, _, _ in judged.said("error")] == rejected
    assert {code for _, code, _ in judged.said("error")[1:]} <= {"parent-rejected"}
    assert judged.lines == readings


def test_children_of_a_rejected_parent_never_join_the_parent_before(judge, example):
    judged = judge(example.swap(12, "QC3000003", ""))

    assert {each["serial"] for each in judged.readings} == {"QA 1000001", "QB2000002"}
    judged = judge(example.swap(6, "9900876543215", "x"))
    assert {each["mpan"] for each in judged.readings} == {"9900123456780"}
    assert judged.visits == []


def test_no_root_group_accepted_shows_in_the_counters(judge, example):
    judged = judge(example.swap(2, "6780", "6781").swap(6, "3215", "3216"))

    assert (judged.counters.root_groups_accepted, judged.readings) == (0, [])


@pytest.mark.parametrize("group", ["027|10||", "028|Q|R|", "030|S|20250331000000|1|||T|P|"])
def test_a_line_without_a_parent_is_rejected_alone(judge, example, group):
    judged = judge(example.line(2, f"{group}\n026|9900123456780|V|").counted())

    assert judged.said("error") == [(2, "orphan", None)]
    assert judged.lines == [5, 6, 10, 14]


def test_a_line_whose_parent_was_closed_is_an_orphan(judge, example):
    text = example.line(12, "028|QC3000003|I|\n032|05|T|\n033|15||").counted()
    judged = judge(text)

    assert judged.said("error") == [(13, "orphan", None), (14, "orphan", None)]
    assert judge(example.line(6, "026|9900876543215|V|\n029|15||").counted()).said("error") == [
        (7, "orphan", None)
    ]


def test_the_children_of_an_orphan_go_with_it(judge, example):
    text = example.line(2, "030|S|20250331000000|1|||T|P|\n032|05|T|\n026|9900123456780|V|")

    assert judge(text.counted()).said("error") == [
        (2, "orphan", None),
        (3, "parent-rejected", None),
    ]


def test_an_unknown_group_is_skipped_and_counted(judge, example):
    judged = judge(example.line(9, f"031|x|\n{example.splitlines()[8]}").counted())

    assert judged.said("warning") == [(9, "unknown-group", None)]
    assert judged.lines == [4, 5, 10, 14]
    assert judged.survey.groups == judged.counters.records == 13
    assert judged.counters.records_accepted == 12


def test_an_unknown_group_closes_nothing(judge, example):
    judged = judge(example.line(10, "ABC|\n032|05|T|").counted())

    assert judged.readings[2]["reason_code"] == "05"


def test_leaf_groups_close_nothing(judge, example):
    text = example.line(10, "033|15||\n032|05|T|\n027|10||\n029|06||").counted()
    judged = judge(text.line(15, "030|S|20250401000000|1.0|||T|P|"))

    assert judged.readings[2]["reason_code"] == "05"
    assert [visit["parent_line"] for visit in judged.visits] == ["6", "9", "6", "8", "9"]


def test_siblings_in_another_order_are_a_warning(judge, example):
    text = example.line(10, "033|15||\n032|05|T|\n027|10||\n029|06||").counted()

    assert judge(text).said("warning") == [
        (11, "odd-order", None),
        (12, "odd-order", None),
        (13, "odd-order", None),
    ]


def test_the_last_of_several_results_decides(judge, example):
    judged = judge(example.line(10, "032|05|F|\n032|22|T|").counted())

    assert (judged.readings[2]["reason_code"], judged.readings[2]["is_status_valid"]) == ("22", "T")
    assert judged.said("warning") == [(11, "repeated-result", None)]
    assert judged.findings[0].value == "05|F"


def test_a_suspect_reading_without_a_result_is_a_warning(judge, example):
    judged = judge(example.line(10, None).counted())

    assert judged.said("warning") == [(9, "suspect-without-result", None)]
    assert judged.readings[2]["is_status_valid"] is None
    judged = judge(example.swap(10, "05", ""))
    assert judged.said("warning") == [(9, "suspect-without-result", None)]


def test_the_last_reading_of_a_file_is_not_lost(judge, example):
    text = example.line(14, None).removesuffix("\n") + "\n032|05|F|\n" + example.splitlines()[13]

    assert judge(text).readings[-1]["reason_code"] == "05"
    assert judge(example).lines[-1] == 13


def test_a_meter_without_readings_is_listed(judge, example):
    judged = judge(example.line(5, None).line(4, None).counted())

    assert not judged.is_refused
    assert judged.findings == []
    assert [list(each.values()) for each in judged.meters] == [
        ["3", "9900123456780", "V", "QA 1000001", "QA1000001", "R"]
    ]
    judged = judge(example.swap(13, "0.0", "x"))
    assert [each["serial"] for each in judged.meters] == ["QC3000003"]


def test_an_mpan_without_a_meter_is_a_warning(judge, example):
    judged = judge(
        example.line(2, "026|9900123456780|V|\n027|20||\n026|9900123456780|V|").counted()
    )

    assert judged.said("warning") == [(2, "no-meter", None)]
    assert judged.visits[0]["line_number"] == "3"


def test_one_mpan_may_come_in_several_root_groups(judge, example):
    judged = judge(example.swap(6, "9900876543215", "9900123456780"))

    assert {each["mpan"] for each in judged.readings} == {"9900123456780"}
    assert judged.findings == []


def test_d0086_is_the_same_tree_under_other_codes(judge, example):
    codes = {"026": "196", "027": "765", "028": "197", "029": "766"}
    codes |= {"030": "198", "032": "07A", "033": "199"}
    text = example.replace("D0010002", "D0086002")
    for old, new in codes.items():
        text = text.replace(f"\n{old}|", f"\n{new}|")
    judged = judge(text)

    assert judged.survey.header.flow == "D0086"
    assert judged.verdict == judged.findings == []
    assert judged.readings == judge(example).readings
    assert [each["parent_group"] for each in judged.visits] == ["196", "198"]
    assert judge(example.replace("D0010002", "D0086002")).is_refused


@pytest.mark.parametrize("method", ["", "P|"])
def test_version_001_has_no_reading_method(judge, example, method):
    text = example.replace("D0010002", "D0010001").replace("|T|P|", f"|T|{method}")
    judged = judge(text.replace("|F|P|", f"|F|{method}"))

    assert judged.remarks() == ["old-version"]
    assert judged.lines == [4, 5, 9, 13]
    assert {each["method"] for each in judged.readings} == {None}
    assert judged.findings == []
