import re
from html import unescape

import pytest
from sqlalchemy import select

from backend.core.database import db
from backend.domains.expenses.models import Expense


def links(page):
    return [unescape(each) for each in re.findall(r'href="([^"]*)"', page)]


def call(page):
    """Return the path of the API call that the page shows."""
    return re.search(r"127\.0\.0\.1:8000(/api[^']*)'", unescape(page))[1]


def test_rows_are_shown_a_page_at_a_time(demonstrated, client):
    first = client.get("/expenses").text
    assert "420 in all" in first
    (following,) = re.findall(r'rel="next" href="([^"]*)"', first)
    second = client.get(unescape(following)).text
    shown = [set(re.findall(r"/expenses/(\d+)", page)) for page in (first, second)]
    assert [len(each) for each in shown] == [20, 20]
    assert not shown[0] & shown[1]
    (back,) = re.findall(r'rel="prev" href="([^"]*)"', second)
    assert set(re.findall(r"/expenses/(\d+)", client.get(unescape(back)).text)) == shown[0]


def test_fields_that_were_left_empty_are_no_filters(demonstrated, client):
    page = client.get("/expenses?departments=Legal&amount[gte]=&date[lte]=&member_name=").text
    assert "Department is Legal" in page
    assert call(page) == "/api/expenses?departments=Legal"


def test_a_heading_sorts_and_sorts_back(demonstrated, client):
    page = client.get("/expenses?departments=Legal").text
    (by_amount,) = [each for each in links(page) if "sort=-amount" in each]
    sorted_page = client.get(by_amount).text
    assert 'aria-sort="descending"' in sorted_page
    assert [each for each in links(sorted_page) if each.endswith("sort=amount")]


@pytest.mark.parametrize(
    "query",
    ["", "departments=Legal&sort=-amount", "by=departments", "by=month(date)&amount[gte]=500"],
)
def test_the_call_that_is_shown_gives_what_is_shown(demonstrated, client, query):
    page = client.get(f"/expenses?{query}").text
    answer = client.get(call(page))
    assert answer.status_code == 200
    for row in answer.json["data"]:
        amount = row.get("amount") or row["sum_amount"]
        assert f"€{float(amount):,.2f}" in page


def test_groups_show_totals_shares_and_lead_to_their_rows(demonstrated, client):
    page = client.get("/expenses?by=departments").text
    assert "100.0 %" in page
    (link,) = [each for each in links(page) if each == "/expenses?departments=Legal"]
    rows = db.session.scalars(select(Expense).where(Expense.departments == "Legal")).all()
    assert f"{len(rows)} found" in client.get(link).text


def test_a_second_key_is_a_click_away_and_the_months_are_drawn_beside_it(demonstrated, client):
    page = client.get("/expenses?by=departments&amount[gte]=100").text
    (link,) = [each for each in links(page) if each.endswith("by=departments,month(date)")]
    both = client.get(link).text
    assert both.count('<rect class="bar" x=') == 24
    assert "January 2024" in both
    assert 'aria-label="Then by"' in both
    assert client.get(call(both)).json["meta"]["applied"]["by"] == ["departments", "month(date)"]
    assert "/expenses?amount%5Bgte%5D=100&by=departments" in links(both)
    (one,) = [each for each in links(both) if "Legal&date[gte]=2024-03-01" in each]
    assert "Department is Legal" in client.get(one).text


def test_what_is_cut_off_stands_together_below(demonstrated, client):
    page = re.sub(r"<[^>]+>|\s+", " ", client.get("/expenses?by=departments&top=2").text)
    assert re.search(r"4 others +\d+ +€[\d,.]+ +\d+\.\d %", page)
    assert re.search(r"All +420 +€349,900\.43 +100\.0 %", page)


def test_a_heading_sorts_groups(demonstrated, client):
    page = client.get("/expenses?by=departments").text
    (by_count,) = [each for each in links(page) if each.endswith("sort=-count")]
    counts = re.findall(r'data-label="Expenses">(\d+)<', client.get(by_count).text)
    assert counts[:-1] == sorted(counts[:-1], key=int, reverse=True)


def test_groups_by_month_are_drawn_with_a_description(demonstrated, client):
    page = client.get("/expenses?by=month(date)").text
    assert page.count('<rect class="bar" x=') == 24
    assert "The highest is" in page
    assert " style=" not in page


def test_a_chart_has_a_bar_for_a_month_without_expenses(take_in, client, example):
    take_in(example)
    page = client.get("/expenses?by=month(date)").text
    assert page.count('<rect class="bar" x=') == 11


def test_years_too_far_apart_are_grouped_without_filling_the_gap(take_in, client, example):
    take_in(example + "\nLegal,P,1.00€,1/1/9000,I")
    page = client.get("/expenses?by=month(date)")
    assert page.status_code == 200
    assert "fill" not in call(page.text)


def test_a_mistake_stands_at_its_field(demonstrated, client):
    answer = client.get("/expenses?amount[gte]=much&foo=1&departments=Legal")
    assert answer.status_code == 400
    wrong = re.search(r'<div class="field wrong">.*?</div>', answer.text, re.DOTALL)[0]
    assert "Amount at least" in wrong
    assert 'value="much"' in wrong
    assert "No field is named foo." in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "%00=1",
        "departments=%00",
        "departments=%ff",
        "by=",
        "by=nothing",
        "by=month(date),,",
        "by=a&by=b",
        "cursor=x",
        "page=0",
        "sort=nothing",
        "limit=9999999999999",
        "format=csv",
        "fields=id",
        "by=departments&fill=zero",
        "date[gte]=3/7/2024",
    ],
)
def test_no_address_breaks_the_page(demonstrated, client, query):
    assert client.get(f"/expenses?{query}").status_code in {200, 400}


def test_a_filter_in_force_can_be_taken_away(demonstrated, client):
    page = client.get("/expenses?departments=Legal&date[gte]=2024-03-01&sort=amount").text
    assert "/expenses?departments=Legal&sort=amount" in links(page) or [
        each for each in links(page) if "departments=Legal" in each and "date" not in each
    ]
    assert "Date from 1 Mar 2024" in page


def test_where_nothing_fits_the_way_back_is_shown(demonstrated, client):
    page = client.get("/expenses?member_name=Nobody").text
    assert "Nothing fits these filters." in page
    assert "Clear filters" in page


def test_without_expenses_the_page_says_how_they_come(client):
    assert "quintet expenses import" in client.get("/expenses").text


def test_the_file_has_all_rows_that_are_shown_and_beyond(real_database, demonstrated, client):
    page = client.get("/expenses?departments=Legal&sort=-amount").text
    (link,) = [each for each in links(page) if each.startswith("/expenses.csv")]
    answer = client.get(link, headers={"Accept": "text/html"})
    rows = db.session.scalars(select(Expense).where(Expense.departments == "Legal")).all()
    assert answer.mimetype == "text/csv"
    assert len(answer.text.splitlines()) == len(rows) + 1


def test_the_file_of_groups_has_the_groups(demonstrated, client):
    page = client.get("/expenses?by=departments").text
    (link,) = [each for each in links(page) if each.startswith("/expenses.csv")]
    assert len(client.get(link).text.splitlines()) == 7


def test_an_expense_has_a_page(demonstrated, client):
    (first, *_) = re.findall(r"/expenses/\d+", client.get("/expenses").text)
    page = client.get(first).text
    assert "<h1>Expense of 31 Dec 2025</h1>" in page
    assert "€1,260.19" in page
    assert client.get("/expenses/0").status_code == 404
    assert client.get("/expenses/x").status_code == 404
