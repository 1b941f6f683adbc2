import csv
from datetime import date
from decimal import Decimal
from io import BytesIO, StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domains.expenses import csvfile
from backend.domains.expenses.csvfile import COLUMNS

HEADER = ",".join(COLUMNS)
GOOD = ["Legal", "Licence-2", "1,234.50€", "3/7/2024", "Ines"]
NAMES = (
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=80)
    .map(lambda text: text.strip()[:80].strip())
    .filter(bool)
)
ROWS = st.fixed_dictionaries(
    {
        "departments": NAMES,
        "project_name": NAMES,
        "amount": st.decimals(0, Decimal("9999999999.99"), places=2, allow_nan=False),
        "date": st.dates(date(1900, 1, 1), date(9998, 12, 31)),
        "member_name": NAMES,
    }
)
# For each column, texts that cannot stand there, with the code that they are refused by.
CORRUPTIONS = {
    "departments": [
        ("", "empty_cell"),
        (" \t", "empty_cell"),
        ("x" * 81, "too_long"),
        ("a\0", "invalid_text"),
    ],
    "amount": [
        ("800.50", "currency_missing"),
        ("$800.50", "other_currency"),
        ("800.50 USD", "other_currency"),
        ("1,23.00€", "invalid_amount"),
        ("1.234,00€", "invalid_amount"),
        ("800.5€", "invalid_amount"),
        ("800€", "invalid_amount"),
        ("-800.50€", "invalid_amount"),
        ("€800.50", "invalid_amount"),
        ("800.50 €", "invalid_amount"),
        ("\N{ARABIC-INDIC DIGIT EIGHT}00.50€", "invalid_amount"),
        ("1e3€", "invalid_amount"),
        ("12345678901.00€", "out_of_range"),
        ("", "empty_cell"),
    ],
    "date": [
        ("13/1/2024", "invalid_date"),
        ("2024-03-07", "invalid_date"),
        ("2/30/2024", "invalid_date"),
        ("0/1/2024", "invalid_date"),
        ("3/7/24", "invalid_date"),
        ("3.7.2024", "invalid_date"),
        ("3/7/1024", "out_of_range"),
    ],
}
CORRUPTIONS["project_name"] = CORRUPTIONS["member_name"] = CORRUPTIONS["departments"]
CASES = [(name, *each) for name, found in CORRUPTIONS.items() for each in found]


def read(content):
    content = content if isinstance(content, bytes) else content.encode()
    reading = csvfile.Reading(csvfile.opened(BytesIO(content)))
    return reading, list(reading)


def written(rows, line_end="\n"):
    stream = StringIO(newline="")
    csv.writer(stream, lineterminator=line_end).writerows([COLUMNS, *rows])
    return stream.getvalue()


def places(reading):
    return [(each.line, each.column_number, each.code) for each in reading.errors]


def values(rows):
    return [tuple(getattr(row, name) for name in COLUMNS) for row in rows]


@given(st.lists(ROWS, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read_again(rows, line_end, is_ended, has_mark):
    stream = StringIO(newline="")
    csvfile.write(rows, stream, line_end)
    text = stream.getvalue() if is_ended else stream.getvalue().removesuffix(line_end)
    reading, found = read(("\ufeff" if has_mark else "") + text)
    assert reading.errors == reading.warnings == []
    assert values(found) == [tuple(row[name] for name in COLUMNS) for row in rows]
    assert reading.read == len(rows)


@given(st.permutations(COLUMNS))
@settings(max_examples=20, deadline=None)
def test_columns_come_in_any_order(order):
    row = dict(zip(COLUMNS, GOOD, strict=True))
    stream = StringIO(newline="")
    csv.writer(stream).writerows([order, [row[name] for name in order]])
    _, found = read(stream.getvalue())
    assert values(found) == [("Legal", "Licence-2", Decimal("1234.50"), date(2024, 3, 7), "Ines")]


@pytest.mark.parametrize(("name", "text", "code"), CASES)
def test_a_corrupted_cell_is_reported_at_its_line_and_column(name, text, code):
    number = COLUMNS.index(name)
    bad = [*GOOD[:number], text, *GOOD[number + 1 :]]
    two_lines = ["Legal\nand more", *GOOD[1:]]
    reading, found = read(written([GOOD, two_lines, bad, GOOD]))
    assert places(reading) == [(5, number + 1, code)]
    assert reading.errors[0].column == name
    assert (reading.read, reading.bad, len(found)) == (4, 1, 3)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(CASES)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_all_corrupted_cells_are_reported_together(chosen):
    rows, expected = [list(GOOD) for _ in range(6)], {}
    for row, (name, text, code) in chosen:
        number = COLUMNS.index(name)
        rows[row][number] = text
        expected[row + 2, number + 1] = code
    reading, _ = read(written(rows))
    found = {(line, number): code for line, number, code in places(reading)}
    assert found == expected
    assert reading.bad == len({line for line, _ in expected})


def test_a_cell_behind_a_line_end_is_on_the_next_line():
    reading, _ = read(written([["Le\r\ngal", "Li\nc", "x", *GOOD[3:]]]))
    assert places(reading) == [(4, 3, "invalid_amount")]


def test_an_amount_without_its_quotes_is_named_as_what_it_is():
    reading, _ = read(f"{HEADER}\nLegal,Licence-2,1,234.00€,3/7/2024,Ines")
    assert places(reading) == [(2, 3, "unquoted_amount")]
    assert reading.errors[0].suggestion == '"1,234.00€"'


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("Legal,Licence-2,1.00€", (2, 4, "short_row")),
        ("", (2, 1, "short_row")),
        ("Legal,Licence-2,1.00€,3/7/2024,Ines,more", (2, 6, "long_row")),
        ('Legal,"Licence"-2,1.00€,3/7/2024,Ines', (2, 2, "invalid_quoting")),
    ],
)
def test_a_row_of_another_shape_is_reported_and_the_next_one_read(row, place):
    reading, found = read(f"{HEADER}\n{row}\n{written([GOOD]).split(chr(10), 1)[1]}")
    assert places(reading) == [place]
    assert (len(found), reading.bad, reading.is_cut) == (1, 1, False)


@pytest.mark.parametrize("tail", ["", "\n", "\nLegal,P,1.00€,1/1/2024,I\n", "x" * 200_000])
def test_a_quote_that_is_never_closed_ends_the_reading(tail):
    reading, found = read(written([GOOD]) + 'Legal,"never' + tail)
    ((line, number, code),) = places(reading)
    assert (line, number) == (3, 2)
    assert code == ("too_long" if len(tail) > 100 else "unclosed_quote")
    assert reading.is_cut
    assert len(found) == 1


@pytest.mark.parametrize(
    ("header", "codes"),
    [
        ("", {"empty_file"}),
        (HEADER.replace("amount", "Amount"), {"unknown_column", "missing_column"}),
        (HEADER.replace("date", "amount"), {"repeated_column", "missing_column"}),
        (HEADER + ",note", {"unknown_column"}),
        ('"never', {"unclosed_quote", "missing_column"} - {"missing_column"}),
    ],
)
def test_a_wrong_header_is_refused_before_any_row(header, codes):
    reading, found = read(header and f"{header}\n1,2")
    assert {each.code for each in reading.errors} == codes
    assert found == []
    assert reading.is_cut
    assert reading.read == 0


def test_a_mistyped_column_is_answered_with_the_one_that_is_meant():
    reading, _ = read(HEADER.replace("project_name", "projectname"))
    assert reading.errors[0].suggestion == "project_name"


def test_bytes_beyond_utf_8_are_reported_in_their_cell():
    reading, _ = read(HEADER.encode() + b"\nLegal,Gr\xf6\xdfe,1.00\xe2\x82\xac,1/1/2024,I")
    assert places(reading) == [(2, 2, "invalid_encoding")]
    assert reading.errors[0].text == "Gr\ufffd\ufffde"


def test_outer_blanks_are_taken_away_with_a_warning():
    reading, (row,) = read(f"{HEADER}\nLegal, P ,1.00€,1/1/2024,I")
    assert row.project_name == "P"
    ((line, number, code),) = [(e.line, e.column_number, e.code) for e in reading.warnings]
    assert (line, number, code) == (2, 2, "trimmed_blanks")


def test_a_day_is_never_guessed_from_its_value():
    reading, _ = read(f"{HEADER}\nL,P,1.00€,13/1/2024,I")
    assert "D/M/YYYY" in reading.errors[0].detail
    assert reading.errors[0].suggestion is None


def test_long_texts_are_shortened_in_reports():
    reading, _ = read(f"{HEADER}\n{'x' * 5000},P,1.00€,1/1/2024,I")
    assert len(reading.errors[0].text) == csvfile.SHOWN
