from sqlalchemy import select

from backend.core.database import db
from backend.domains.flows.models import FlowFile, FlowReading, FlowSiteVisit


def test_a_file_is_imported_line_by_line(take_in, example):
    outcome = take_in(example)

    assert (outcome.status, outcome.errors, outcome.warnings) == ("imported", 0, 0)
    readings = db.session.scalars(select(FlowReading).order_by(FlowReading.line_number)).all()
    assert [each.line_number for each in readings] == [4, 5, 9, 13]
    assert {(each.mpan, each.serial) for each in readings} == {
        ("9900123456780", "QA 1000001"),
        ("9900876543215", "QB2000002"),
        ("9900876543215", "QC3000003"),
    }
    visits = db.session.scalars(select(FlowSiteVisit).order_by(FlowSiteVisit.line_number)).all()
    assert [(each.line_number, each.parent_line, each.parent_group) for each in visits] == [
        (7, 6, "026"),
        (11, 9, "030"),
    ]
    file = db.session.get_one(FlowFile, outcome.file_id)
    assert file.content_hash == "e2d28a9775fe6de2330b6e758d4935adccf1661a3fc0a2c1dda7b5e1c28b37a4"
