"""FastAPI with SQLAlchemy's ORM and a typed answer, as its tutorial teaches it."""

import datetime as dt
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Numeric, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
engine = create_engine(url, pool_size=8)
app = FastAPI()


class Base(DeclarativeBase):
    """What the table's class derives from."""


class Expense(Base):
    """One expense."""

    __tablename__ = "expense"

    id: Mapped[int] = mapped_column(primary_key=True)
    departments: Mapped[str]
    project_name: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    currency: Mapped[str]
    date: Mapped[dt.date]
    member_name: Mapped[str]


class ExpenseOut(BaseModel):
    """One expense as it is answered."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    departments: str
    project_name: str
    amount: Decimal
    currency: str
    date: dt.date
    member_name: str


class Page(BaseModel):
    """One page of them."""

    data: list[ExpenseOut]
    has_more: bool


class Filters(BaseModel):
    """What a request may say."""

    departments: str | None = None
    amount_gte: Decimal | None = None
    limit: int = 25


def session() -> Iterator[Session]:
    """Lend a session for the request."""
    with Session(engine) as lent:
        yield lent


@app.get("/expenses")
def list_expenses(
    filters: Annotated[Filters, Query()], lent: Annotated[Session, Depends(session)]
) -> Page:
    """Return the rows that the filters leave, the newest first."""
    statement = select(Expense).order_by(Expense.date.desc(), Expense.id)
    if filters.departments is not None:
        statement = statement.where(Expense.departments == filters.departments)
    if filters.amount_gte is not None:
        statement = statement.where(Expense.amount >= filters.amount_gte)
    found = lent.scalars(statement.limit(filters.limit + 1)).all()
    rows = [ExpenseOut.model_validate(each) for each in found[: filters.limit]]
    return Page(data=rows, has_more=len(found) > filters.limit)
