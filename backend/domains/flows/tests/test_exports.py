import csv
from io import StringIO

import pytest

from backend.domains.flows.services import exports, readings

MPAN = "9900123456780"


@pytest.fixture
def staff(signed_in):
    return signed_in("staff")


def exported(client, **fields):
    response = client.get("/admin/flows/readings.csv", query_string=fields)
    assert response.status_code == 200
    assert response.headers["Content-Disposition"] == 'attachment; filename="readings.csv"'
    return list(csv.DictReader(StringIO(response.get_data(as_text=True))))


def test_the_export_has_all_hits_of_the_search_with_its_filters(bring, staff, monkeypatch):
    monkeypatch.setattr(readings, "EXPORT_PAGE", 3)
    bring(*[{"register": str(each)} for each in range(10)], {"reading_type": "F"})
    rows = exported(staff, q=MPAN, type="R")
    assert sorted(row["register"] for row in rows) == list("0123456789")
    assert rows[0] | {"register": "", "file_id": "", "line_number": ""} == {
        "mpan": MPAN,
        "serial": "QA 1000001",
        "register": "",
        "reading_at_local": "2025-03-31 00:00:00",
        "value": "4521.0",
        "reading_type": "R",
        "reading_type_label": "Routine",
        "standing": "valid",
        "bsc_status": "V",
        "flag": "T",
        "status": "",
        "reason_code": "",
        "method": "P",
        "flow": "D0010",
        "file_name": "a.uff",
        "file_id": "",
        "line_number": "",
    }


def test_an_export_that_is_cut_off_says_so(bring, staff, monkeypatch):
    monkeypatch.setattr(readings, "EXPORT_ROWS", 3)
    bring(*[{"register": str(each)} for each in range(5)])
    rows = exported(staff, q=MPAN)
    assert len(rows) == 4
    assert rows[-1]["mpan"].startswith("Only the newest 3 readings")


def test_no_cell_of_the_export_is_a_formula(bring, staff):
    for serial in ("=1+1", "+44", "-1x2", "@SUM"):
        bring({"serial": serial, "register": serial[0]}, name=f"{serial}.uff")
    for row in exported(staff, q=MPAN):
        assert row["serial"][:2] == f"'{row['register'][-1]}"
        assert row["file_name"].startswith("'")
    assert [exports.neutral(cell) for cell in ("\tx", "\rx", "\nx", "x=1", "")] == [
        "'\tx",
        "'\rx",
        "'\nx",
        "x=1",
        "",
    ]
