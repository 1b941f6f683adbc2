"""Expenses for a person's own machine: an invented company's two years, the same on every one."""

import random
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

from sqlalchemy import exists, select

from backend.core.database import db
from backend.domains.expenses import csvfile
from backend.domains.expenses.models import Expense
from backend.domains.expenses.services import imports
from backend.domains.expenses.services.imports import Report

ROWS = 420
FIRST, DAYS = date(2024, 1, 1), 731
# Department, what it works on, who spends, and what an expense usually is.
TEAMS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], int], ...] = (
    ("Field Service", ("Meter-Exchange-7", "Substation-12", "Van-Fleet"), ("Sam", "Odile"), 620),
    ("Research, Applied", ("Heat-Pump-Trial-3", "Tariff-Lab"), ("Ines", "Teodor"), 940),
    ("Legal", ("Licence-Renewal-2", "Grid-Code-41"), ("Marit",), 1150),
    ("Support", ("Callback-2", "Knowledge-Base"), ("Jonas", "Yara", "Sam"), 180),
    ("Trading", ("Balancing-9", "Forecast-5"), ("Priya", "Ansel"), 1480),
    ("People", ("Onboarding-24", "Summer-Meeting"), ("Noor",), 340),
)
# What everybody finds who tries the first request of the documentation.
ALWAYS: tuple[tuple[str, str, str, date, str], ...] = (
    ("Field Service", "Meter-Exchange-7", "1400.00", date(2024, 3, 7), "Sam"),
    ("Field Service", "Substation-12", "2315.75", date(2024, 9, 19), "Sam"),
    ("Support", "Callback-2", "1399.99", date(2025, 2, 3), "Sam"),
    ("Support", "Callback-2", "86.20", date(2025, 2, 3), "Sam"),
)


def import_first() -> Report | None:
    """Import the demonstration's rows, unless there are expenses already."""
    if db.session.scalar(select(exists(select(Expense.id)))):
        return None
    return imports.import_file(BytesIO(content()))


def content() -> bytes:
    """Return the demonstration's file."""
    text = StringIO()
    rows = _rows()
    rows.sort(key=lambda row: row["date"])
    csvfile.write(rows, text)
    return text.getvalue().removesuffix("\n").encode()


def _rows() -> list[dict[str, Any]]:
    names = ("departments", "project_name", "amount", "date", "member_name")
    rows: list[dict[str, Any]] = [dict(zip(names, each, strict=True)) for each in ALWAYS]
    for row in rows:
        row["amount"] = Decimal(row["amount"])
    invented = random.Random(7)  # noqa: S311  the same for everybody
    weights = [9, 6, 4, 8, 5, 3]
    for _ in range(ROWS - len(rows)):
        department, projects, members, usual = invented.choices(TEAMS, weights)[0]
        day = FIRST + timedelta(days=invented.randrange(DAYS))
        summer = 0.7 if day.month in {7, 8} else 1.0
        cents = int(invented.lognormvariate(0, 0.75) * usual * summer * 100)
        made = (invented.choice(projects), Decimal(cents) / 100, day, invented.choice(members))
        rows.append(dict(zip(names, (department, *made), strict=True)))
    return rows
