import pytest

from backend.core.database import db
from backend.domains.expenses.models import Expense
from backend.domains.expenses.services import imports


def test_x(take_in, example, client, signed_in):
    r = take_in(example)
    print(r)
    print(take_in(example))
    print(client.get("/api/expenses?amount[gte]=800&sort=departments").json)
    print(client.get("/api/expenses/aggregates?by=departments,month(date)").json)
    r = signed_in("staff").post("/api/expenses/imports", data=example.encode(), content_type="text/csv")
    print(r.json)
    r = signed_in("staff").post("/api/expenses/imports?x=1", data=example.encode()+b"\na,b,c", content_type="text/csv")
    print(r.json)
    r = signed_in("staff").post("/api/expenses/imports", data=example.encode()+b"\na,b,c", content_type="text/csv")
    print(r.json)
