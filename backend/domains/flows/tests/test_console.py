import re

import pytest
from sqlalchemy import select

from backend.core.database import db
from backend.core.formats import NOTHING
from backend.domains.flows.models import FlowFile, FlowReading, FlowSiteVisit
from backend.domains.flows.services import files, readings

MPAN = "9900123456780"
PAGES = (
    "/admin/flows/files",
    "/admin/flows/files/1",
    "/admin/flows/files/1/readings",
    "/admin/flows/files/1/readings/4",
    "/admin/flows/files/1/lines/4",
    "/admin/flows/readings",
    "/admin/flows/readings.csv?q=9900",
)


@pytest.fixture
def staff(signed_in):
    return signed_in("staff")


def words(response):
    """Return what a person reads of a page: no tags, single spaces."""
    assert response.status_code == 200, response.text
    return " ".join(re.sub(r"<[^>]+>", " ", response.text).split())


def search(client, **fields):
    return client.get("/admin/flows/readings", query_string=fields)


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_signed_in_is_sent_to_sign_in(client, path):
    response = client.get(path)
    assert response.status_code == 302
    assert response.location.startswith("/login?next=")


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_staff_is_refused(signed_in, path):
    assert signed_in().get(path).status_code == 403


@pytest.mark.parametrize("typed", ["99 0012 3456 780", "qa1000001"])
def test_an_mpan_with_blanks_and_a_serial_in_lower_case_show_value_date_and_file(
    take_in, staff, example, typed
):
    take_in(example, name="april.uff")
    page = words(search(staff, q=typed))
    for expected in ("4521.0", "1987.5", "31 Mar 2025", "april.uff", "line 4", "QA 1000001"):
        assert expected in page
    assert "31 Mar 2025, 00:00" not in page


def test_a_reading_leads_to_its_file_line_and_raw_line(take_in, staff, example):
    file_id = take_in(example).file_id
    page = staff.get(f"/admin/flows/files/{file_id}/readings/9")
    shown = words(page)
    for expected in (
        "failed, then accepted",
        "05: Consumption exceeds twice expected advance",
        "030|S|20250401000000|48210.0|||F|P|",
        "032|05|T|",
        "15: Meter stopped",
        "10: Change of meter",
        "Dial stopped",
        "Meter changed on site",
    ):
        assert expected in shown
    line = words(staff.get(f"/admin/flows/files/{file_id}/lines/9"))
    assert "030|S|20250401000000|48210.0|||F|P|" in line
    assert f"/admin/flows/files/{file_id}/lines/9" in search(staff, q="990087").text
    assert staff.get(f"/admin/flows/files/{file_id}/lines/99").status_code == 404
    assert staff.get(f"/admin/flows/files/{file_id}/readings/2").status_code == 404


def test_a_file_shows_its_status_counts_and_findings(take_in, staff, example):
    broken = example.swap(5, "1987.5", "-1.0").swap(10, "|05|", "||")
    file_id = take_in(broken, name="broken.uff").file_id
    page = words(staff.get(f"/admin/flows/files/{file_id}"))
    assert "Imported with errors" in page
    assert "Readings 4 3 1" in page
    assert "J0040" in page
    assert "-1.0" in page
    assert "J0332" in page
    none = words(staff.get(f"/admin/flows/files/{file_id}?severity=warning"))
    assert "J0040" not in none
    listed = words(staff.get("/admin/flows/files?status=imported_with_errors"))
    assert "broken.uff" in listed
    assert "Nothing fits" in words(staff.get("/admin/flows/files?status=failed"))


def test_findings_of_a_file_lead_to_their_lines_and_to_a_file_of_their_own(take_in, staff, example):
    broken = example.swap(5, "1987.5", "-1.0")
    take_in(broken, name="other.uff")
    again = broken.sent("QT00000002", "20250403061500")
    file_id = take_in(again, name="broken.uff").file_id
    page = staff.get(f"/admin/flows/files/{file_id}")
    assert f'href="/admin/flows/files/{file_id}/lines/5"' in page.text
    assert "1 in all" in words(page)
    assert f"/admin/flows/findings.csv?file_id={file_id}&amp;format=csv" in page.text
    wrong = staff.get(f"/admin/flows/files/{file_id}?severity=bad&nothing=1")
    assert wrong.status_code == 400
    assert "broken.uff" in wrong.text
    assert "No field is named nothing." in wrong.text
    assert staff.get(f"/admin/flows/files/{file_id}?file_id=1").status_code == 400


def test_nothing_of_a_rejected_file_is_found_but_its_row_says_why(take_in, staff, example):
    file_id = take_in(example.line(14, None), name="cut.uff").file_id
    assert "no file has brought" in words(search(staff, q=MPAN))
    page = words(staff.get(f"/admin/flows/files/{file_id}"))
    assert "Rejected" in page


def test_what_nobody_counted_in_a_file_is_a_dash(take_in, staff, quintet, example):
    first = take_in(example).file_id
    again = take_in(example, name="again.uff").file_id
    assert "Readings 4 4 0 " in words(staff.get(f"/admin/flows/files/{first}"))
    page = words(staff.get(f"/admin/flows/files/{again}"))
    assert f"Readings {3 * (NOTHING + ' ')}MPANs 2 0 2 Records 12 0 12 " in page
    shown = quintet("flows", "show", again).stdout
    assert "12, 0 accepted, 12 rejected" in shown
    assert "readings" not in shown


def test_a_duplicate_leads_to_the_first_import(take_in, staff, example):
    first = take_in(example).file_id
    second = take_in(example, name="again.uff").file_id
    assert f'/admin/flows/files/{first}"' in staff.get(f"/admin/flows/files/{second}").text


def test_a_correction_shows_the_history_with_both_files(take_in, staff, example):
    take_in(example, name="first.uff")
    again = example.sent("QT00000002", "20250403061500").swap(4, "4521.0", "4522.0")
    file_id = take_in(again, name="second.uff").file_id
    page = words(staff.get(f"/admin/flows/files/{file_id}/readings/4"))
    for expected in ("4522.0", "4521.0", "superseded", "first.uff", "second.uff"):
        assert expected in page
    assert "4521.0" not in words(search(staff, q=MPAN))
    assert "4521.0" in words(search(staff, q=MPAN, history="1"))


def test_a_withdrawal_leaves_no_current_reading_of_the_meter(take_in, staff, example):
    take_in(example)
    take_in(example.sent("QT00000002", "20250403061500").swap(3, "|R|", "|W|"))
    page = words(search(staff, q=MPAN))
    assert page.count("withdrawn") == 2
    assert "withdrawal" not in page
    assert "let none through" in words(search(staff, q=MPAN, valid="1"))


@pytest.mark.parametrize(
    ("typed", "notice"),
    [
        ("", "Type an MPAN"),
        ("99", "at least 4 characters"),
        ("9900123456781", "does not fit"),
        ("9900000000070", "no file has brought"),
        ("99123", "No MPAN and no serial"),
        ("ZZZZ", "No serial number begins"),
    ],
)
def test_finding_nothing_is_explained_differently_each_time(staff, typed, notice):
    assert notice in words(search(staff, q=typed))


@pytest.mark.parametrize(
    "fields",
    [
        {"since": "yesterday"},
        {"until": "2025-02-30"},
        {"since": "0001-01-01"},
        {"until": "9999-12-31"},
        {"after": "1"},
        {"before": "20250230000000-20250402061500-1-4"},
        {"valid": "maybe"},
    ],
)
def test_a_malformed_search_says_so_in_the_form_and_in_the_export(staff, fields):
    page = search(staff, q=MPAN, **fields)
    assert page.status_code == 422
    assert 'class="error"' in page.text or "note bad" in page.text
    export = staff.get("/admin/flows/readings.csv", query_string={"q": MPAN, **fields})
    assert export.status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/admin/flows/files/99999999999999999999",
        "/admin/flows/files/9",
        "/admin/flows/files/9/readings/99999999999",
    ],
)
def test_a_file_that_does_not_exist_is_not_found(staff, path):
    assert staff.get(path).status_code == 404


@pytest.mark.parametrize("query", ["after=9", "cursor=x", "status=%00", "limit=0", "_scheme=x"])
def test_an_address_that_asks_for_nothing_there_is_says_so_on_the_page(staff, query):
    answer = staff.get(f"/admin/flows/files?{query}")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "<h1>Flow files</h1>" in answer.text


def follow(client, page, direction):
    (address,) = re.findall(rf'rel="{direction}" href="([^"]+)"', page.text)
    return client.get(address.replace("&amp;", "&"))


def lines_of(page):
    return re.findall(r">line (\d+)<", page.text)


def test_search_pages_lead_on_and_back_and_keep_their_filters(bring, staff, monkeypatch):
    monkeypatch.setattr(readings, "PAGE", 2)
    bring(*[{"reading_at_local": f"2025-01-0{day}"} for day in range(1, 7)])
    first = search(staff, q="99 0012", since="2025-01-02")
    second = follow(staff, first, "next")
    third = follow(staff, second, "next")
    assert [lines_of(each) for each in (first, second, third)] == [["9", "8"], ["7", "6"], ["5"]]
    assert lines_of(follow(staff, third, "prev")) == ["7", "6"]
    assert lines_of(follow(staff, second, "prev")) == ["9", "8"]


def test_lists_of_files_and_of_their_readings_lead_on_and_back(bring, staff, monkeypatch):
    monkeypatch.setattr(files, "PAGE", 2)
    file = bring(*[{"register": str(each)} for each in range(5)], name="0.uff")
    for each in range(1, 5):
        bring(name=f"{each}.uff")
    first = staff.get("/admin/flows/files?limit=2")
    last = follow(staff, follow(staff, first, "next"), "next")
    assert re.findall(r">(\d).uff<", last.text) == ["0"]
    assert re.findall(r">(\d).uff<", follow(staff, last, "prev").text) == ["2", "1"]
    first = staff.get(f"/admin/flows/files/{file.id}/readings")
    second = follow(staff, first, "next")
    assert [lines_of(each) for each in (first, second)] == [["4", "5"], ["6", "7"]]
    assert lines_of(follow(staff, second, "prev")) == ["4", "5"]


def test_what_a_file_says_is_never_markup(bring, staff):
    hostile = "<script>alert(1)</script>"
    file = bring({"serial": hostile}, name=hostile, message=hostile)
    db.session.add(
        FlowSiteVisit(
            file_id=file.id,
            line_number=5,
            parent_line=4,
            parent_group="030",
            mpan=MPAN,
            serial=hostile,
            register="DY",
            check_code="01",
            text=hostile,
        )
    )
    pages = [f"/admin/flows/files/{file.id}", f"/admin/flows/files/{file.id}/readings/4"]
    for page in [*pages, "/admin/flows/files", f"/admin/flows/readings?q={MPAN}"]:
        shown = staff.get(page).text
        assert hostile not in shown
        assert "&lt;script&gt;" in shown


def test_no_log_names_an_mpan_a_serial_or_free_text(take_in, staff, example, capfd):
    file_id = take_in(example).file_id
    search(staff, q=MPAN)
    search(staff, q="QA 1000001")
    staff.get(f"/admin/flows/files/{file_id}/readings/9")
    staff.get("/admin/flows/readings.csv?q=QB2000002")
    said = "".join(capfd.readouterr())
    for private in (MPAN, "QA 1000001", "QA1000001", "QB2000002", "Dial stopped"):
        assert private not in said


def test_a_reading_whose_original_is_gone_is_still_shown(bring, staff):
    file = bring({})
    page = words(staff.get(f"/admin/flows/files/{file.id}/readings/4"))
    assert "no longer kept" in page


def test_every_reading_of_the_example_is_listed_by_its_file(take_in, staff, example):
    file_id = take_in(example).file_id
    page = staff.get(f"/admin/flows/files/{file_id}/readings")
    assert lines_of(page) == ["4", "5", "9", "13"]
    assert len(db.session.scalars(select(FlowReading)).all()) == 4
    assert db.session.get_one(FlowFile, file_id).readings_accepted == 4
