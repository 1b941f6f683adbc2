"""The expenses as they are declared once; the API, the page and the documents follow from this."""

from backend.core.collections import (
    DATE_BUCKETS,
    Col,
    Collection,
    Date,
    Enum,
    Id,
    Money,
    Text,
)
from backend.domains.expenses import cells
from backend.domains.expenses.models import Expense

expenses = Collection(
    "expenses",
    model=Expense,
    description="What the company spent, as its files tell of it.",
    default_sort="-date",
    currency=cells.CURRENCY,
    revisions=("expense",),
    columns=[
        Col("id", Id(), description="Given at the first import, and never changed."),
        Col(
            "departments",
            Text(cells.MOST_CHARACTERS, example="Support"),
            title="Department",
            description="One department, despite the column's name.",
            sortable=True,
            groupable=True,
        ),
        Col(
            "project_name",
            Text(cells.MOST_CHARACTERS, example="Tariff-Lab"),
            title="Project",
            sortable=True,
            groupable=True,
        ),
        Col("amount", Money(), sortable=True, metrics=("sum", "avg", "min", "max")),
        Col("currency", Enum((cells.CURRENCY,)), description="ISO 4217."),
        Col(
            "date",
            Date(),
            sortable=True,
            groupable=True,
            metrics=("min", "max"),
            buckets=DATE_BUCKETS,
        ),
        Col(
            "member_name",
            Text(cells.MOST_CHARACTERS, example="Sam"),
            title="Member",
            description="Who spent it.",
            sortable=True,
            groupable=True,
        ),
    ],
)
