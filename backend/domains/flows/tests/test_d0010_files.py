import hashlib
from io import BytesIO

import pytest

from backend.domains.flows import d0010, sample

HASH = "e2d28a9775fe6de2330b6e758d4935adccf1661a3fc0a2c1dda7b5e1c28b37a4"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw,
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw.removesuffix(b"\n"),
        lambda raw: raw.replace(b"\n", b"\r\n").removesuffix(b"\n"),
        lambda raw: raw + b"\n\r\n \t\n\n",
        lambda raw: b"\xef\xbb\xbf" + raw.replace(b"\n", b"\r\n").removesuffix(b"\r\n"),
    ],
)
def test_a_file_has_one_content_hash_however_its_lines_end(judge, example, change):
    raw = change(example.encode())
    judged = judge(raw)

    assert judged.survey.content_hash == HASH
    assert judged.survey.raw_hash == hashlib.sha256(raw).hexdigest()
    assert judged.survey.size == len(raw)
    assert judged.lines == [4, 5, 9, 13]
    assert not judged.is_refused
    assert judged.findings == []


def test_blank_lines_inside_belong_to_the_content(judge, example):
    assert judge(example.line(6, "\n026|9900876543215|V|")).survey.content_hash != HASH


def test_hashes_do_not_depend_on_where_blocks_end(example):
    for blanks in (0, 1, 300_000):
        raw = example.encode().replace(b"\n", b"\r\n") + b"\r\n" * blanks
        assert d0010.survey(BytesIO(raw)).content_hash == HASH


def test_a_survey_counts_what_the_trailer_counts(judge, example):
    survey = judge(example).survey

    assert (survey.lines, survey.groups, survey.root_groups) == (14, 12, 2)
    assert (survey.trailer.group_count, survey.trailer.flow_count) == (12, 2)
    assert survey.trailer.checksum == ""
    assert survey.trailer.completed_text == "20250402063000"


def test_a_header_is_read_field_by_field(judge, example):
    header = judge(example).survey.header

    assert header.business_key == ("D", "QDCA", "QT00000001", "D0010002", "20250402061500")
    assert (header.flow, header.version) == ("D0010", "002")
    assert (header.to_role, header.to_participant) == ("X", "QSUP")
    assert f"{header.created:%Y-%m-%d %H:%M:%S}" == "2025-04-02 06:15:00"
    assert (header.test_flag, header.is_test) == ("OPER", False)


def test_an_over_long_header_field_and_a_long_role_are_accepted(judge, example):
    judged = judge(example.swap(1, "|D|QDCA|", "|N2|QDCAX|"))

    assert judged.remarks() == ["too-long"]
    assert judged.survey.header.from_role == "N2"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ZHV|", "ZHF|"),
        ("QT00000001", ""),
        ("QDCA", "    "),
        ("|D|", "||"),
        ("QSUP", ""),
        ("20250402061500", ""),
        ("20250402061500", "20250431061500"),
        ("20250402061500", "20250402240000"),
        ("20250402061500", "2025040206150"),
        ("QDCA", "QD\u00e9A"),
        ("OPER|", "OPER|more|"),
        ("ZHV", " ZHV"),
    ],
)
def test_a_malformed_header_refuses_the_file(judge, example, old, new):
    judged = judge(example.swap(1, old, new))

    assert judged.is_refused
    assert judged.refusals()[0] in {"header-missing", "header-malformed"}
    assert judged.readings == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ZHV|QT00000001|D0010002|D|QDCA|X|QSUP|20250402061500|", "field-count"),
        ("ZHV|QT00000001|D0010002|D|QDCA|X|QSUP|20250402061500||||OPER||", "field-count"),
        ("ZHV|QT00000001|D0010002|D|QDCA|X|QSUP|20250402061500||||OPER", "missing-terminator"),
        ("ZHV|QT00000001|D0010002|D|QDCA |X|QSUP|20250402061500||||OPER|", "spaces-trimmed"),
    ],
)
def test_an_untidy_header_is_a_warning(judge, example, line, code):
    judged = judge(example.line(1, line))

    assert (judged.is_refused, judged.remarks()) == (False, [code])
    assert judged.survey.header.from_participant == "QDCA"


@pytest.mark.parametrize(
    ("flow", "code"),
    [
        ("D0150002", "wrong-flow"),
        ("D0010003", "unsupported-version"),
        ("D0086001", "unsupported-version"),
        ("D0010", "unsupported-version"),
    ],
)
def test_another_flow_or_version_is_refused(judge, example, flow, code):
    assert judge(example.swap(1, "D0010002", flow)).refusals() == [code]


def test_test_data_is_refused_unless_allowed(judge, example):
    text = example.swap(1, "OPER", "TR01")

    assert judge(text).refusals() == ["test-data"]
    judged = judge(text, allow_test=True)
    assert (judged.is_refused, judged.remarks()) == (False, ["test-data"])
    assert judged.survey.header.is_test
    assert not judge(example.swap(1, "OPER", "")).survey.header.is_test


def test_a_file_cut_off_before_its_last_bar_is_refused_whatever_the_options(example, judge):
    text = example.removesuffix("\n")
    for end in range(len(text)):
        assert judge(text[:end], lenient_footer=True).is_refused, text[:end]
    assert not judge(text).is_refused


def test_a_file_without_its_trailer_is_refused(judge, example):
    assert judge(example.line(14, None)).refusals() == ["trailer-missing"]
    assert judge(example.line(14, None), lenient_footer=True).refusals() == ["trailer-missing"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("|12|", "|99|", "trailer-group-count"),
        ("|12|", "||", "trailer-group-count"),
        ("|12|", "|x|", "trailer-group-count"),
        ("||2|", "||3|", "trailer-flow-count"),
        ("||2|", "||two|", "trailer-flow-count"),
        ("QT00000001", "QT00000002", "trailer-file-id"),
    ],
)
def test_a_wrong_footer_is_refused_unless_lenient(judge, example, old, new, code):
    text = example.swap(14, old, new)

    assert judge(text).refusals() == [code]
    assert judge(text, lenient_footer=True).remarks() == [code]
    assert not judge(text, lenient_footer=True).is_refused


def test_a_blank_flow_count_and_any_checksum_are_accepted(judge, example):
    assert judge(example.swap(14, "|12||2|", "|12|4711||")).verdict == []


def test_more_trailer_fields_are_accepted_when_blank(judge, example):
    assert judge(example.swap(14, "063000|", "063000||")).remarks() == ["field-count"]
    assert judge(example.swap(14, "063000|", "063000|x|")).refusals() == ["trailer-malformed"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty-file"),
        ("\n\n\n", "header-missing"),
        ("hello\n", "header-missing"),
        ("ZHV|A|D0010002|D|QDCA|X|QSUP|20250402061500||||OPER|\nZPT|A|0||0||\n", "no-root-group"),
        ("\xff\xfeZ\0H\0V\0", "header-missing"),
        ("\0" * 3_000_000, "header-missing"),
        ("ZHD|D0010|002|D|QDCA|\nZTR|1|\n", "header-missing"),
    ],
)
def test_what_is_no_flow_file_is_refused_with_one_reason(judge, text, code):
    assert judge(text.encode("latin-1")).refusals() == [code]


def test_text_after_the_trailer_is_refused(judge, example):
    assert "trailer-not-last" in judge(example + "026|9900123456780|V|\n").refusals()
    assert judge(example + "x").refusals()[0] == "trailer-not-last"


def test_a_second_header_or_trailer_is_refused(judge, example):
    header, trailer = example.splitlines()[0], example.splitlines()[-1]

    assert judge(example.line(2, f"{header}\n026|9900123456780|V|")).refusals() == [
        "header-repeated"
    ]
    assert judge(example.line(14, f"{trailer}\n{trailer}")).refusals() == ["trailer-repeated"]
    assert judge(example + example).refusals()[0] == "header-repeated"


def test_blank_lines_are_one_warning_and_not_counted(judge, example):
    judged = judge(example.line(6, "\n \n\n026|9900876543215|V|"))

    assert judged.remarks() == ["blank-lines"]
    assert judged.verdict[0].line == 6
    assert judged.survey.groups == judged.counters.records == 12
    assert judged.lines == [4, 5, 12, 16]


def test_an_endless_line_is_refused_in_bounded_memory(judge, example):
    text = example.swap(7, "Meter", "M" * 3_000_000)

    assert "line-too-long" in judge(text).refusals()


def test_other_line_separators_do_not_end_a_line(judge, example):
    raw = example.encode().replace(b"Meter changed", b"Meter \xc2\x85 \xe2\x80\xa8 changed")
    judged = judge(raw)

    assert judged.visits[0]["text"] == "Meter \x85 \u2028 changed on site"
    assert judged.survey.groups == 12


def test_a_raw_line_is_found_by_its_number():
    stream = BytesIO()
    sample.write_sample(stream, readings=30_000)
    lines = stream.getvalue().splitlines()
    offsets = d0010.survey(BytesIO(stream.getvalue())).line_offsets

    assert len(offsets) > 5
    for number in (1, 2, 5_000, 50_000, len(lines)):
        assert d0010.line_at(stream, offsets, number) == lines[number - 1]
    for number in (0, len(lines) + 1):
        with pytest.raises(LookupError):
            d0010.line_at(stream, offsets, number)


def test_a_raw_line_comes_without_mark_and_ending(example):
    raw = b"\xef\xbb\xbf" + example.encode().replace(b"\n", b"\r\n")

    assert d0010.line_at(BytesIO(raw), ((1, 0),), 1).startswith(b"ZHV|")
    assert d0010.line_at(BytesIO(raw), ((1, 0),), 2) == b"026|9900123456780|V|"
