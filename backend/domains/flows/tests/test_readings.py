from datetime import date, timedelta

import pytest

from backend.core.database import db
from backend.domains.flows.models import FlowMeter
from backend.domains.flows.services import readings, terms
from backend.domains.flows.services.readings import Query, ReadingNotFound, TooManyMeters
from backend.domains.flows.services.terms import Term

MPAN, OTHER = "9900123456780", "9900876543215"


def search(typed, *, start=None, direction="older", **filters):
    query = Query(term=Term.of(typed), **filters)
    return readings.search(query, start=start, direction=direction)


def values(typed, **filters):
    return [each.value_text for each in search(typed, **filters).hits]


def days(count, **fields):
    first = date(2020, 1, 1)
    return [
        {"reading_at_local": str(first + timedelta(days=each)), "value_text": f"{each}.0"} | fields
        for each in range(count)
    ]


@pytest.mark.parametrize(
    "typed",
    ["9900123456780", " 99 0012 3456 780 ", "990012", "qa1000001", "QA 100", "q a 1 0 0 0 0 0 1"],
)
def test_case_and_spaces_do_not_matter_and_a_beginning_is_enough(bring, typed):
    bring({}, {"mpan": OTHER, "serial": "QB2000002"})
    assert [each.mpan for each in search(typed).hits] == [MPAN]


def test_thirteen_digits_are_an_mpan_and_also_an_exact_serial(bring):
    bring(
        {"value_text": "1.0"},
        {"mpan": OTHER, "serial": MPAN, "value_text": "2.0"},
        {"mpan": OTHER, "serial": MPAN + "1", "value_text": "3.0"},
    )
    assert sorted(values(MPAN)) == ["1.0", "2.0"]


def test_what_is_found_by_mpan_and_by_serial_is_shown_once(bring):
    bring({"serial": MPAN})
    assert len(search(MPAN).hits) == 1
    assert len(search(MPAN[:8]).hits) == 1


def test_fewer_digits_begin_an_mpan_or_a_serial(bring):
    bring({"value_text": "1.0"}, {"mpan": OTHER, "serial": "99001", "value_text": "2.0"})
    assert sorted(values("99001")) == ["1.0", "2.0"]


def test_more_than_thirteen_digits_are_a_serial(bring):
    bring({"serial": "12345678901234"})
    assert len(search("12345678901234").hits) == 1


@pytest.mark.parametrize("typed", ["QA%0001", "%%%%", "____", "QA__000001", "QA\\%1", "QA'; --"])
def test_wildcards_are_ordinary_characters(bring, typed):
    bring({})
    assert search(typed).hits == []


def test_a_serial_with_a_percent_sign_is_found_by_it(bring):
    bring({"serial": "A%_B"}, {"serial": "AXXB"})
    assert [each.serial for each in search("a%_b").hits] == ["A%_B"]


@pytest.mark.parametrize("typed", ["\0\0\0\0", "ÄÖÜß", "\N{PILE OF POO}" * 4, "9" * 10_000])
def test_what_no_file_can_hold_is_not_found(bring, typed):
    bring({})
    assert search(typed).notice in {"unknown", "too short"}


def test_the_newest_reading_comes_first_and_ties_follow_the_order_of_what_was_said(bring):
    bring(
        {"reading_at_local": "2025-01-01", "value_text": "1.0"},
        {"reading_at_local": "2025-02-01", "value_text": "2.0"},
        {"reading_at_local": "2025-02-01", "value_text": "3.0", "register": "NT"},
        created="2025-03-02",
    )
    bring(
        {"reading_at_local": "2025-02-01", "value_text": "4.0", "register": "S"},
        created="2025-03-01",
    )
    assert values(MPAN) == ["3.0", "2.0", "4.0", "1.0"]


def test_filters_narrow_by_day_both_included_type_and_validity(bring):
    bring(*days(5), {"reading_at_local": "2020-01-03T23:59:59", "value_text": "9.0"})
    bring({"reading_at_local": "2020-06-01", "reading_type": "F", "bsc_status": "F"})
    assert values(MPAN, since=date(2020, 1, 2), until=date(2020, 1, 3)) == ["9.0", "2.0", "1.0"]
    assert values(MPAN, reading_type="F") == ["4521.0"]
    assert values(MPAN, is_usable_only=True, since=date(2020, 1, 5)) == ["4.0"]


def walk(typed, **filters):
    pages, start = [], None
    while True:
        page = search(typed, start=start, **filters)
        pages.append(page)
        if page.older is None:
            return pages
        start = page.older


def test_pages_are_stable_and_lead_back_the_way_they_came(bring):
    bring(*days(60), *days(60, register="NT"), *days(20, mpan=OTHER))
    pages = walk("9900")
    everything = [each.position for page in pages for each in page.hits]
    assert [len(page.hits) for page in pages] == [50, 50, 40]
    assert everything == sorted(set(everything), reverse=True)
    bring({"reading_at_local": "2026-01-01", "value_text": "7.0"})
    back = search("9900", start=pages[2].newer, direction="newer")
    assert back.hits == pages[1].hits
    assert search("9900", start=back.older).hits == pages[2].hits
    first = search("9900", start=back.newer, direction="newer")
    assert first.hits == pages[0].hits
    newest = search("9900", start=first.newer, direction="newer")
    assert (newest.hits[0].value_text, newest.newer) == ("7.0", None)


def test_a_filter_that_hides_nearly_all_ends_its_page_early_and_goes_on(bring, monkeypatch):
    monkeypatch.setattr(readings, "LOOKED_AT", 100)
    bring(*days(230), {"reading_at_local": "2010-01-01", "reading_type": "F"})
    pages = walk(MPAN, reading_type="F")
    assert [page.is_cut_short for page in pages] == [True, True, False]
    assert [each.reading_type for page in pages for each in page.hits] == ["F"]
    back = search(MPAN, start=pages[-1].newer, direction="newer", reading_type="F")
    assert (back.hits, back.is_cut_short) == ([], True)


def test_superseded_readings_do_not_shorten_a_page(bring):
    bring(*days(120), created="2025-04-01")
    bring(*days(120), created="2025-04-02")
    assert [len(page.hits) for page in walk(MPAN)] == [50, 50, 20]


def test_readings_of_test_files_among_the_others_do_not_end_the_list(bring):
    bring(*days(110), is_test=True)
    bring(*days(60))
    bring(*days(110, register="NT"), is_test=True)
    assert [len(page.hits) for page in walk(MPAN)] == [50, 10]


def test_a_beginning_of_too_many_lists_the_meters_to_choose_from(bring, monkeypatch):
    monkeypatch.setattr(terms, "MOST_KEYS", 3)
    terms._skipping.cache_clear()
    bring(*[{"serial": f"QZ{each:04}", "mpan": f"99{each:011}"} for each in range(6)])
    page = search("QZ00")
    assert (page.notice, page.hits) == ("too many", [])
    assert [each.serial for each in page.meters] == ["QZ0000", "QZ0001", "QZ0002"]
    with pytest.raises(TooManyMeters):
        readings.export(Query(term=Term.of("QZ00")))
    assert len(search("QZ0004").hits) == 1
    terms._skipping.cache_clear()


def test_several_meters_that_match_are_listed_with_their_newest_reading(bring):
    bring(*days(3), *days(2, mpan=OTHER, serial="QA 1000002"))
    assert [(each.serial, str(each.newest)) for each in search("QA10").meters] == [
        ("QA 1000001", "2020-01-03 00:00:00"),
        ("QA 1000002", "2020-01-02 00:00:00"),
    ]


def test_a_meter_without_readings_is_listed(bring):
    file = bring({"mpan": OTHER, "serial": "QC3"})
    for line, (mpan, serial) in enumerate([(MPAN, "QA 1"), (OTHER, "QC3")]):
        meter = {"mpan": mpan, "serial": serial, "serial_key": terms.Term.of(serial).text}
        db.session.add(
            FlowMeter(
                file_id=file.id, line_number=90 + line, bsc_status="V", reading_type="R", **meter
            )
        )
    page = search(MPAN)
    assert (page.notice, [each.serial for each in page.meters]) == ("without readings", ["QA 1"])
    assert search(OTHER).meters == []
    assert search("QA1").notice == "without readings"


@pytest.mark.parametrize(
    ("typed", "notice"),
    [
        ("", "nothing asked"),
        ("   ", "nothing asked"),
        ("QA1", "too short"),
        ("990", "too short"),
        ("9900123456781", "wrong check digit"),
        ("9900000000070", "unknown"),
        ("7712345678901", "unknown"),
        ("ZZZZ", "unknown"),
    ],
)
def test_finding_nothing_says_why(bring, typed, notice):
    bring({})
    assert search(typed).notice == notice


def test_a_serial_that_is_shorter_than_a_beginning_may_be_is_found_whole(bring):
    bring({"serial": "7"}, {"serial": "71"})
    assert [each.serial for each in search("7").hits] == ["7"]


def test_readings_that_the_filters_hide_are_told_from_unknown_ones(bring):
    bring({})
    assert search(MPAN, since=date(2030, 1, 1)).notice == "filtered out"
    assert search("9900", reading_type="F").notice == "filtered out"


def test_an_mpan_of_test_files_alone_is_unknown(bring):
    bring({}, is_test=True)
    assert search(MPAN).notice == "unknown"


def test_the_same_serial_at_two_mpans_is_two_meters(bring):
    bring({}, {"mpan": OTHER})
    assert [each.mpan for each in search("QA1000001").hits] == [OTHER, MPAN]
    assert [each.mpan for each in search(MPAN).hits] == [MPAN]


def test_the_history_of_a_reading_has_all_that_was_said_of_its_register_then(bring):
    bring({"value_text": "1.0"}, {"register": "NT"}, created="2025-04-01")
    last = bring({"value_text": "2.0"}, {"reading_type": "F"}, created="2025-04-02")
    history = readings.history(readings.one(file_id=last.id, line_number=4))
    assert [(each.reading_type, each.value_text) for each in history] == [
        ("F", "4521.0"),
        ("R", "2.0"),
        ("R", "1.0"),
    ]


def test_a_line_without_a_reading_is_not_found(bring):
    file = bring({})
    with pytest.raises(ReadingNotFound):
        readings.one(file_id=file.id, line_number=1)
