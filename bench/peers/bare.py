"""The floor: Flask, a pool of psycopg, one statement, and PostgreSQL writes the JSON."""

import os

from flask import Flask, Response, request
from psycopg_pool import ConnectionPool

STATEMENT = """
select coalesce(json_agg(page), '[]')::text from (
    select id, departments, project_name, amount::text, currency, date, member_name
    from expense
    where departments = %(departments)s and amount >= %(amount)s
    order by date desc, id
    limit %(limit)s
) as page"""

pool = ConnectionPool(os.environ["DATABASE_URL"], min_size=8, max_size=8, open=True)
app = Flask(__name__)


@app.get("/expenses")
def list_expenses() -> Response:
    """Return the rows that the filters leave, the newest first."""
    values = {
        "departments": request.args["departments"],
        "amount": request.args["amount_gte"],
        "limit": int(request.args.get("limit", "25")),
    }
    with pool.connection() as connection:
        ((rows,),) = connection.execute(STATEMENT, values).fetchall()
    return Response(f'{{"data":{rows}}}', mimetype="application/json")
