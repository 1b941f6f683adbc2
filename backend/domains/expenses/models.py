"""What the domain keeps: one row for each expense that a file told of."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    String,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Model

# Text whose order is that of its code points, everywhere the same, and short enough for cursors.
Name = Annotated[str, mapped_column(String(80, collation="C"))]


class Expense(Model):
    """One expense; its number was given in the order of the file at its first import."""

    __tablename__ = "expense"
    __table_args__ = (
        CheckConstraint("currency = 'EUR'", name="currency"),
        CheckConstraint("amount >= 0", name="amount"),
        Index("expense_date_id_index", text("date desc"), "id"),
        Index("expense_amount_id_index", "amount", "id"),
        Index("expense_departments_id_index", "departments", "id"),
        Index("expense_project_name_id_index", "project_name", "id"),
        Index("expense_member_name_id_index", "member_name", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True, init=False)
    departments: Mapped[Name]
    project_name: Mapped[Name]
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    currency: Mapped[str] = mapped_column(String(3, collation="C"))
    date: Mapped[date]
    member_name: Mapped[Name]
    # What the file said of it, and which of several identical rows it was: its identity.
    source_key: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    imported_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), init=False
    )
