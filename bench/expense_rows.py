"""Generated expenses in a database: invented, the same ones at every run, millions in a minute."""

import psycopg
from psycopg import sql

DEPARTMENTS = (
    "Billing", "Design", "Engineering", "Facilities", "Field-Work", "Finance",
    "Legal", "Marketing", "Operations", "People", "Research", "Support",
)  # fmt: skip
COLUMNS = "id, departments, project_name, amount, currency, date, member_name"

INSERT = """
insert into expense
    (departments, project_name, amount, currency, date, member_name, source_key)
select
    (%(departments)s::text[])[1 + floor(random() * %(count)s)::int],
    'Project-' || floor(random() * 400)::int,
    round((random() * random() * 5000)::numeric, 2),
    'EUR',
    date '2020-01-01' + floor(random() * 2000)::int,
    'Member-' || floor(random() * 3000)::int,
    int8send(number)
from generate_series(%(first)s::int, %(last)s::int) as number"""

INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
where indrelid = 'expense'::regclass and not indisunique"""


def fill(owner_url: str, rows: int) -> None:
    """Add expenses until there are so many; the indexes are made anew afterwards, as is faster."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("set maintenance_work_mem = '512MB'")
        ((present,),) = connection.execute("select count(*) from expense").fetchall()
        indexes = connection.execute(INDEXES).fetchall()
        with connection.transaction():
            for name, _ in indexes:
                connection.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
            connection.execute("select setseed(0.2026)")
            connection.execute(
                INSERT,
                {
                    "departments": list(DEPARTMENTS),
                    "count": len(DEPARTMENTS),
                    "first": present + 1,
                    "last": rows,
                },
            )
            for _, definition in indexes:
                connection.execute(definition)
        connection.execute("vacuum analyze expense")
