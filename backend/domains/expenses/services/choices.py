"""What a form may offer to choose from: the values that a column has, if they are few."""

from sqlalchemy import text

from backend.core.database import db

MOST = 60


def few_values(column: str) -> list[str]:
    """Return the column's values in order, or none at all where there are too many to choose from.

    Each value is one step through the column's index, so the number of rows does not matter.
    """
    if column not in {"departments", "project_name", "member_name"}:
        raise LookupError(column)
    query = f"""
    with recursive step as (
        (select {column} as value, 1 as number from expense order by {column} limit 1)
        union all
        select (select {column} from expense where {column} > step.value order by {column} limit 1),
            number + 1
        from step where step.value is not null and number <= :most)
    select value from step where value is not null"""  # noqa: S608  one of three words
    found = [str(value) for value in db.session.scalars(text(query), {"most": MOST})]
    return found if len(found) <= MOST else []
