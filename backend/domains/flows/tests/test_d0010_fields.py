import pytest


@pytest.mark.parametrize("value", ["0", "00000", "4521.0", "4521", "99999999.9"])
def test_a_usual_value_is_taken_as_sent(judge, example, value):
    judged = judge(example.swap(4, "4521.0", value))

    assert judged.readings[0]["value_text"] == judged.readings[0]["value"] == value
    assert judged.findings == []


@pytest.mark.parametrize("value", ["123456789", "999999999.999", "4521.011", "4521.01"])
def test_an_unusually_long_value_is_a_warning(judge, example, value):
    judged = judge(example.swap(4, "4521.0", value))

    assert judged.readings[0]["value_text"] == value
    assert judged.said("warning") == [(4, "odd-value", "J0040")]


@pytest.mark.parametrize(
    "value",
    [
        *("-1.0", "+1", "NaN", "Infinity", "1e3", "1_000", " 5", "5 ", "5.", ".5", "19X7.5", "1,5"),
        *("1234567890", "1.2345", "1.2.3", "0x1F"),
    ],
)
def test_a_value_that_is_no_plain_number_is_an_error(judge, example, value):
    judged = judge(example.swap(5, "1987.5", value))

    assert judged.lines == [4, 9, 13]
    assert judged.said("error") == [(5, "bad-value", "J0040")]
    assert judged.findings[0].value == value
    assert judged.findings[0].message.startswith("Register Reading (J0040) ")


def test_digits_of_other_scripts_are_no_digits(judge, example):
    for item, old in (("J0040", "1987.5"), ("J0016", "20250331000000")):
        judged = judge(example.swap(5, old, "\u0661\u0662"))
        assert judged.said("error") == [(5, "non-ascii", item)]


@pytest.mark.parametrize(
    "instant",
    [
        *("20250230000000", "20250331240000", "20250331006000", "20250331000060", "2025033100000"),
        *("202503310000000", "19491231235959", "22000101000000", "2025-03-31 0:00"),
        *(" 0250331000000", "20250001000000", "20251301000000"),
    ],
)
def test_an_instant_that_does_not_exist_is_an_error(judge, example, instant):
    judged = judge(example.swap(5, "20250331000000", instant))

    assert judged.said("error") == [(5, "bad-instant", "J0016")]
    judged = judge(example.line(5, f"030|NT|20250331000000|1987.5|{instant}|1|T|P|"))
    assert judged.said("error") == [(5, "bad-instant", "J0044")]


@pytest.mark.parametrize(
    ("instant", "stored"),
    [
        ("19500101000000", "1950-01-01 00:00:00"),
        ("20240229235959", "2024-02-29 23:59:59"),
        ("20250331093015", "2025-03-31 09:30:15"),
    ],
)
def test_an_instant_is_kept_as_the_clock_showed_it(judge, example, instant, stored):
    judged = judge(example.swap(4, "20250331000000", instant))

    assert judged.readings[0]["reading_at_local"] == stored
    assert judged.findings == []


@pytest.mark.parametrize(
    ("instant", "code"),
    [
        ("20250330010000", "clock-gap"),
        ("20250330013000", "clock-gap"),
        ("20250330005959", None),
        ("20250330020000", None),
        ("20241027013000", "clock-twice"),
        ("20241027005959", None),
        ("20241027020000", None),
        ("20250401235959", None),
        ("20250402061500", None),
        ("20250402061501", "after-creation"),
        ("21990701000000", "after-creation"),
    ],
)
def test_odd_times_are_accepted_with_a_warning(judge, example, instant, code):
    judged = judge(example.swap(4, "20250331000000", instant))

    assert judged.lines == [4, 5, 9, 13]
    assert judged.said("warning") == ([(4, code, "J0016")] if code else [])


@pytest.mark.parametrize(
    ("place", "item"),
    [
        ((2, "9900123456780"), "J0003"),
        ((2, "|V|"), "J0022"),
        ((3, "QA 1000001"), "J0004"),
        ((3, "|R|"), "J0171"),
        ((4, "DY"), "J0010"),
        ((4, "20250331000000"), "J0016"),
        ((4, "4521.0"), "J0040"),
        ((10, "05"), "J0332"),
        ((10, "|T|"), "J0047"),
        ((7, "10"), "J0024"),
        ((11, "15"), "J0024"),
    ],
)
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_mandatory_field_rejects_its_group(judge, example, place, item, blank):
    number, old = place
    new = f"|{blank}|" if "|" in old else blank
    judged = judge(example.swap(number, old, new))

    assert (number, "blank-mandatory", item) in judged.said("error")


def test_a_blank_reading_method_is_only_a_warning(judge, example):
    judged = judge(example.swap(4, "|T|P|", "|T||"))

    assert judged.readings[0]["method"] is None
    assert judged.said("warning") == [(4, "blank-mandatory", "J1888")]
    assert judged.said("error") == []


@pytest.mark.parametrize(
    ("change", "item", "column"),
    [
        ((2, "|V|", "|X|"), "J0022", "bsc_status"),
        ((3, "|R|", "|9|"), "J0171", "reading_type"),
        ((4, "|T|P|", "|T|Z|"), "J1888", "method"),
        ((10, "|05|", "|99|"), "J0332", "reason_code"),
        ((7, "|10|", "|45|"), "J0024", "check_code"),
        ((7, "|10|", "|12|"), "J0024", "check_code"),
        ((2, "|V|", "|v|"), "J0022", "bsc_status"),
    ],
)
def test_an_unknown_code_is_stored_with_a_warning(judge, example, change, item, column):
    judged = judge(example.swap(*change))

    assert judged.said("warning") == [(change[0], "unknown-code", item)]
    assert judged.said("error") == []
    rows = judged.visits if column == "check_code" else judged.readings
    assert change[2].split("|")[-2] in [row[column] for row in rows]


def test_a_reading_type_of_other_flows_is_a_warning(judge, example):
    judged = judge(example.swap(3, "|R|", "|O|"))

    assert judged.said("warning") == [(3, "foreign-code", "J0171")]
    assert judged.readings[0]["reading_type"] == "O"


@pytest.mark.parametrize(
    ("change", "code", "item"),
    [
        ((2, "|V|", "|VV|"), "bad-code", "J0022"),
        ((10, "|05|", "|5|"), "bad-code", "J0332"),
        ((4, "|T|P|", "|t|P|"), "bad-flag", "J0045"),
        ((4, "|T|P|", "|Y|P|"), "bad-flag", "J0045"),
        ((10, "|T|", "|TRUE|"), "bad-flag", "J0047"),
        ((4, "|||T", "||1000|T"), "bad-count", "J1013"),
        ((4, "|||T", "||-1|T"), "bad-count", "J1013"),
        ((4, "DY", "DAY"), "too-long", "J0010"),
        ((2, "9900123456780", "990012345678"), "bad-mpan", "J0003"),
        ((2, "9900123456780", "99001234567800"), "bad-mpan", "J0003"),
        ((2, "9900123456780", " 9900123456780"), "bad-mpan", "J0003"),
        ((3, "QA 1000001", "Q" * 33), "too-long", "J0004"),
        ((3, "QA 1000001", "QA\x001"), "control-character", "J0004"),
        ((3, "QA 1000001", "QA\u00e91"), "non-ascii", "J0004"),
        ((7, "Meter", "Me\x0bter"), "control-character", "J0012"),
        ((7, "Meter", "Me\x1cter"), "control-character", "J0012"),
        ((7, "Meter", "Me\rter"), "control-character", "J0012"),
        ((4, "DY", "\x7fD"), "control-character", "J0010"),
    ],
)
def test_a_malformed_field_is_an_error_that_names_its_item(judge, example, change, code, item):
    judged = judge(example.swap(*change))

    assert judged.said("error")[0] == (change[0], code, item)
    assert all("\0" not in (each.value or "") for each in judged.findings)


def test_an_optional_field_may_be_filled(judge, example):
    judged = judge(example.swap(4, "|||T", "|20250101120000|012|T"))

    assert judged.findings == []
    assert judged.readings[0]["md_reset_at"] == "2025-01-01 12:00:00"
    assert judged.readings[0]["md_resets"] == "012"


def test_labels_and_serials_are_kept_as_sent(judge, example):
    text = example.swap(4, "DY", "01").swap(3, "QA 1000001", " qa\t1 b")
    reading = judge(text).readings[0]

    assert reading["register"] == "01"
    assert (reading["serial"], reading["serial_key"]) == (" qa\t1 b", "QA1B")


def test_an_odd_register_or_long_serial_or_text_is_a_warning(judge, example):
    text = example.swap(4, "DY", "+\\").swap(3, "QA 1000001", "Q" * 32).swap(7, "Meter", "M" * 300)
    judged = judge(text)

    assert judged.said("warning") == [
        (3, "too-long", "J0004"),
        (4, "odd-register", "J0010"),
        (7, "too-long", "J0012"),
    ]
    assert judged.readings[0]["register"] == "+\\"
    assert judged.readings[0]["serial"] == "Q" * 32
    assert judged.visits[0]["text"] == "M" * 300 + " changed on site"


def test_spaces_around_coded_fields_are_trimmed_with_a_warning(judge, example):
    text = example.swap(2, "|V|", "| V|").swap(4, "|DY|", "|D |").swap(9, "|F|P|", "| F|P |")
    judged = judge(text.swap(3, "028|", " 028 |"))

    assert {code for _, code, _ in judged.said("warning")} == {"spaces-trimmed"}
    assert [line for line, _, _ in judged.said("warning")] == [2, 3, 4, 9, 9]
    assert judged.readings[0]["register"] == "D"
    assert (judged.readings[2]["is_flag_valid"], judged.readings[2]["method"]) == ("F", "P")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"caf\xe9 \x93x\x94", "caf\u00e9 \u201cx\u201d"),
        ("caf\u00e9 \u20ac".encode(), "caf\u00e9 \u20ac"),
        (b"\x81\xe9", "\x81\u00e9"),
    ],
)
def test_bytes_outside_ascii_are_kept_in_free_text_with_one_warning(judge, example, raw, text):
    content = example.encode().replace(b"Meter changed on site", raw).replace(b"Dial stopped", raw)
    judged = judge(content)

    assert [visit["text"] for visit in judged.visits] == [text, text]
    assert judged.said("warning") == [(7, "non-ascii-bytes", None)]


def test_a_quote_is_an_ordinary_character(judge, example):
    judged = judge(example.swap(7, "Meter", 'the "Meter'))

    assert judged.visits[0]["text"] == 'the "Meter changed on site'
    assert (judged.findings, judged.lines) == ([], [4, 5, 9, 13])


@pytest.mark.parametrize(
    ("text", "warnings", "errors"),
    [
        ("027|10|", ["field-count"], []),
        ("027|10|note", ["missing-terminator"], []),
        ("027|10|note|||", ["field-count"], []),
        ("027|10|note|more|", [], ["field-count"]),
        ("027|10", [], ["line-cut-off"]),
        ("027", [], ["line-cut-off"]),
        ("027|", ["field-count"], ["blank-mandatory"]),
        ("030|DY|20250331000000|4521.0|", ["field-count", "blank-mandatory"], []),
        ("030|DY|20250331000000|4521.0|||T|P", ["missing-terminator"], []),
        ("030|DY|20250331000000|45", [], ["line-cut-off"]),
        ("030|DY|20250331000000|4521.0|||T|P|x|", [], ["field-count"]),
    ],
)
def test_the_number_of_fields_is_judged(judge, example, text, warnings, errors):
    judged = judge(example.line(7 if text.startswith("027") else 4, text))

    assert [code for _, code, _ in judged.said("warning")] == warnings
    assert [code for _, code, _ in judged.said("error")] == errors


def test_a_long_value_is_shortened_in_its_finding(judge, example):
    judged = judge(example.swap(2, "9900123456780", "9" * 500))

    assert len(judged.findings[0].value) == 60
