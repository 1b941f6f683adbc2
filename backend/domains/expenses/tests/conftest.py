"""Expenses files of the tests' own, and a way to take them in."""

from io import BytesIO

import pytest

from backend.core.database import db
from backend.domains.expenses.services import demonstration, imports

HEADER = "departments,project_name,amount,date,member_name"
EXAMPLE = f"""\
{HEADER}
Legal,Licence-2,"1,234.50€",3/7/2024,Ines
Research,Orion-7,800.50€,12/31/2024,Sam
Support,Callback-2,1400.00€,3/9/2024,Sam
Research,Orion-7,800.50€,12/31/2024,Sam
"Research, Basic",Größe-1,0.00€,1/1/2025,Zoë"""


@pytest.fixture
def example():
    """A small valid file; two of its rows are identical."""
    return EXAMPLE


@pytest.fixture
def take_in(app):
    """Import text or bytes: `take_in(example, is_partial=True)`."""

    def import_text(content, **options):
        content = content if isinstance(content, bytes) else content.encode()
        report = imports.import_file(BytesIO(content), **options)
        db.session.commit()
        return report

    return import_text


@pytest.fixture
def demonstrated(app):
    """The demonstration's expenses are there."""
    report = demonstration.import_first()
    db.session.commit()
    return report
