from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select

from backend.core.database import db
from backend.domains.expenses.models import Expense
from backend.domains.expenses.routes import LARGEST_FILE

IMPORTS = "/api/expenses/imports"


def upload(client, content, query=""):
    return client.post(IMPORTS + query, data=content.encode(), content_type="text/csv")


def expected(**conditions):
    """Return the rows that fulfil the conditions, by Python alone."""
    rows = db.session.scalars(select(Expense))
    return [row for row in rows if all(test(getattr(row, n)) for n, test in conditions.items())]


def follow(client, address):
    answer = client.get(address)
    assert answer.status_code == 308
    assert not urlsplit(answer.location).netloc
    return client.get(answer.location)


def test_staff_upload_a_file_as_it_is(signed_in, example):
    client = signed_in("staff")
    answer = upload(client, example)
    assert answer.status_code == 200
    assert answer.json["data"]["inserted"] == 5
    again = upload(client, example)
    assert (again.json["data"]["inserted"], again.json["data"]["unchanged"]) == (0, 5)


def test_staff_upload_a_file_by_a_form(signed_in, example):
    files = {"file": (BytesIO(example.encode()), "expenses.csv")}
    answer = signed_in("staff").post(IMPORTS, data=files, content_type="multipart/form-data")
    assert answer.json["data"]["inserted"] == 5


def test_a_form_without_the_file_is_refused(signed_in):
    answer = signed_in("staff").post(
        IMPORTS, data={"name": "x"}, content_type="multipart/form-data"
    )
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/file"


def test_bad_rows_are_answered_by_line_and_column(signed_in, example):
    answer = upload(signed_in("staff"), example + "\nLegal,P,12€,13/1/2024,I")
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    places = [
        (e["line"], e["column"], e["column_number"], e["text"]) for e in answer.json["errors"]
    ]
    assert places == [(7, "amount", 3, "12€"), (7, "date", 4, "13/1/2024")]
    assert (answer.json["read"], answer.json["bad"]) == (6, 1)
    assert db.session.scalar(select(func.count(Expense.id))) == 0


def test_good_rows_are_kept_and_gone_ones_removed_when_asked(signed_in, example):
    client = signed_in("staff")
    bad = example + "\nLegal,P,12€,13/1/2024,I"
    assert upload(client, bad, "?partial=true").json["data"]["bad"] == 1
    fewer = example.rpartition("\n")[0]
    assert upload(client, fewer, "?remove_gone=true").json["data"]["removed"] == 1


@pytest.mark.parametrize("query", ["?parital=true", "?partial=yes"])
def test_an_unknown_option_is_refused(signed_in, example, query):
    answer = upload(signed_in("staff"), example, query)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["parameter"] == query[1:].partition("=")[0]


def test_only_csv_is_taken(signed_in):
    assert signed_in("staff").post(IMPORTS, json={}).status_code == 415


def test_a_file_beyond_20_mb_is_refused_unread(signed_in):
    options = {"environ_overrides": {"CONTENT_LENGTH": str(LARGEST_FILE + 1)}}
    answer = signed_in("staff").post(IMPORTS, content_type="text/csv", **options)
    assert answer.status_code == 413


def test_nobody_but_staff_imports_even_where_everybody_reads(client, signed_in, example):
    assert upload(client, example).status_code == 401
    assert upload(signed_in(), example).status_code == 403


def test_an_expense_has_an_address_of_its_own(take_in, client, example):
    take_in(example)
    listed = client.get("/api/expenses?sort=id").json["data"]
    one = client.get(f"/api/expenses/{listed[0]['id']}").json["data"]
    assert one == listed[0]
    assert (one["amount"], one["currency"], one["date"]) == ("1234.50", "EUR", "2024-03-07")


def test_importing_makes_a_known_answer_old_and_importing_again_does_not(
    real_database, take_in, client, example
):
    take_in(example)
    tag = client.get("/api/expenses").headers["ETag"]
    known = {"If-None-Match": tag}
    take_in(example)
    assert client.get("/api/expenses", headers=known).status_code == 304
    take_in(example + "\nLegal,P,12.00€,1/1/2024,I")
    assert client.get("/api/expenses", headers=known).status_code == 200


def test_the_first_form_of_a_filter_leads_to_exactly_its_rows(demonstrated, client):
    answer = follow(client, "/expanses_data?amount[gte]=1400&member_name=Sam")
    wanted = expected(amount=lambda a: a >= 1400, member_name=lambda n: n == "Sam")
    assert [row["id"] for row in answer.json["data"]] == [
        row.id for row in sorted(wanted, key=lambda row: (-row.date.toordinal(), row.id))
    ]
    assert not answer.json["page"]["has_more"]
    amounts = {row["amount"] for row in answer.json["data"]}
    assert {"1400.00", "2315.75"} < amounts
    below = {row.amount for row in expected(member_name=lambda n: n == "Sam")} - {
        row.amount for row in wanted
    }
    assert max(below) == Decimal("1399.99")


def test_the_first_form_of_a_sort_leads_to_its_order(demonstrated, client):
    answer = follow(client, "/expanses_data?sort=departments&order=desc")
    found = list(answer.json["data"])
    while cursor := answer.json["page"]["next"]:
        answer = follow(client, f"/expanses_data?sort=departments&order=desc&cursor={cursor}")
        found += answer.json["data"]
    wanted = sorted(expected(), key=lambda row: row.id)
    wanted.sort(key=lambda row: row.departments, reverse=True)
    assert [row["id"] for row in found] == [row.id for row in wanted]
    assert len(found) == 420


@pytest.mark.parametrize("by", ["departments", "project_name", "date", "member_name"])
def test_the_first_form_of_groups_leads_to_their_figures(demonstrated, client, by):
    answer = follow(client, f"/aggregates?by={by}")
    found = {row[by]: (row["count"], row["sum_amount"]) for row in answer.json["data"]}
    sums = {}
    for row in db.session.scalars(select(Expense)):
        rows, amount = sums.get(str(getattr(row, by)), (0, 0))
        sums[str(getattr(row, by))] = rows + 1, amount + row.amount
    assert found == {key: (rows, f"{amount:.2f}") for key, (rows, amount) in sums.items()}


def test_a_redirect_leaves_the_query_as_it_is(client):
    query = "amount%5Bgte%5D=1&departments[in]=%22a,b%22,c&project_name=a%20b+c%26&x="
    answer = client.get(f"/expanses_data?{query}")
    path, _, kept = answer.location.partition("?")
    assert path == "/api/expenses"
    assert kept.replace("%5B", "[").replace("%5D", "]") == query.replace("%5B", "[").replace(
        "%5D", "]"
    )


@pytest.fixture
def closed(app, monkeypatch):
    """Reading expenses needs somebody who is signed in."""
    own = replace(app.extensions["settings"], expenses_public=False)
    monkeypatch.setitem(app.extensions, "settings", own)


@pytest.mark.parametrize("path", ["", "/1", "/aggregates", "/describe"])
def test_where_expenses_are_not_public_reading_needs_a_token(closed, client, signed_in, path):
    assert client.get(f"/api/expenses{path}").status_code == 401
    assert signed_in().get(f"/api/expenses{path}").status_code in {200, 404}


def test_where_expenses_are_not_public_the_page_leads_to_signing_in(closed, client, signed_in):
    answer = client.get("/expenses?by=departments")
    assert answer.location == "/login?next=/expenses%3Fby%3Ddepartments"
    assert "Authorization: Bearer" in signed_in().get("/expenses").text
