import re
from datetime import UTC, datetime
from html import unescape
from types import SimpleNamespace
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import session
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core import collections, database
from backend.core.auth import PageBlueprint, sessions
from backend.core.collections import Col, Collection
from backend.core.collections.scopes import only
from backend.core.database import db
from backend.core.errors import Invalid
from backend.core.sections import Action, Input, Section, mount
from backend.domains.identity.models import User

LIST = "/admin/test/crates"
CRATE = sa.Table(
    "crate",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("label", sa.String(collation="C"), nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("weight", sa.Numeric(6, 1)),
    sa.Column("sent_at", sa.DateTime(timezone=True)),
    sa.Column("is_heavy", sa.Boolean),
    sa.Column("within_id", sa.Integer),
)


class NoReason(Invalid):
    """A seal needs a reason. Write one."""


def seal(key, actor, form):
    if not form["reason"].strip():
        db.session.execute(sa.update(CRATE).values(label="spoilt"))
        raise NoReason(errors=[{"pointer": "/reason", "code": "missing", "detail": "Say why."}])
    done = sa.update(CRATE).where(CRATE.c.id == key).values(state="sealed", label=form["reason"])
    db.session.execute(done)


CRATES = Collection(
    "crates",
    model=CRATE,
    scope=only("staff"),
    description="What is sent.",
    columns=[
        Col("id", collections.Id()),
        Col("label", collections.Text(80), sortable=True),
        Col("state", collections.Enum(("open", "sealed"))),
        Col("weight", collections.Number(), sortable=True),
        Col("sent_at", collections.Timestamp(), title="Sent", sortable=True),
        Col("is_heavy", collections.Boolean()),
        Col("within_id", collections.Reference(), title="Within", links_to="crates"),
    ],
)
SECTION = Section(
    CRATES,
    name="crates",
    singular="crate",
    main="label",
    badges={"state": {"sealed": "good"}},
    actions=(
        Action(
            "seal",
            "Seal it",
            "seal",
            seal,
            sentence="Nobody can open it afterwards.",
            done="It is sealed.",
            inputs=(Input("reason", "Reason", is_required=True),),
            offered=lambda record, _: record["state"] == "open",
            in_list=True,
        ),
    ),
)


@pytest.fixture
def crates(another_app, owner_connection, mounting):
    """A client of somebody on the staff, in an application that has a throw-away section."""
    with owner_connection.begin():
        CRATE.create(owner_connection, checkfirst=True)
        owner_connection.exec_driver_sql("grant select, insert, update on crate to quintet_app")
        owner_connection.exec_driver_sql("truncate crate")
        owner_connection.exec_driver_sql(
            "insert into crate select n, 'crate ' || n, 'open', n * 1.5,"
            " timestamptz '2024-06-30 23:30Z' + n * interval '1 hour', n > 25, nullif(n - 1, 0)"
            " from generate_series(1, 30) n"
        )
    mounting(another_app, CRATES, public=False)
    blueprint = PageBlueprint("test_console", __name__, role="staff", url_prefix="/admin/test")
    mount(blueprint, SECTION, "/crates")
    another_app.register_blueprint(blueprint)
    for endpoint, view in list(another_app.view_functions.items()):
        if endpoint.startswith("test_console."):
            another_app.view_functions[endpoint] = database.guarded(view)
    return _signed_in(another_app)


def _signed_in(app):
    client = FlaskClient(app, app.response_class)
    with app.test_request_context():
        person = User(email=f"{uuid4()}@quintet.test", name="A Person", roles=["staff"])
        db.session.add(person)
        db.session.commit()
        now = round(datetime.now(UTC).timestamp() * 1_000_000)
        sessions.start(session_id=uuid4(), user_id=person.id, signed_in_at=now)
        cookie = app.session_interface.get_signing_serializer(app).dumps(dict(session))
    client.set_cookie(app.config["SESSION_COOKIE_NAME"], cookie)
    return client


def labels(page):
    return [int(each) for each in re.findall(r">crate (\d+)</a>", page.text)]


def follow(client, page, rel):
    (address,) = re.findall(rf'rel="{rel}" href="([^"]*)"', page.text)
    return client.get(unescape(address))


def submit(client, **fields):
    page = client.get(f"{LIST}/7").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    return client.post(f"{LIST}/7/seal", data=fields | {"csrf_token": token})


def test_a_declared_section_is_in_the_consoles_index_and_lists_its_rows_in_pages(crates):
    assert f'href="{LIST}"' in crates.get("/admin/").text
    first = crates.get(LIST)
    assert "30 in all" in first.text
    assert labels(first) == list(range(1, 21))
    second = follow(crates, first, "next")
    assert labels(second) == list(range(21, 31))
    assert labels(follow(crates, second, "prev")) == labels(first)
    assert 'href="/admin/test/crates/7"' in first.text
    assert " style=" not in first.text
    assert "<script" not in first.text


def test_each_declared_column_has_the_filter_that_people_use_of_its_type(crates):
    names = re.findall(r'<(?:input|select)[^>]* name="([^"]+)"', crates.get(LIST).text)
    assert names[names.index("id") : names.index("within_id") + 1] == [
        *("id", "label[contains]", "state", "weight[gte]", "weight[lte]"),
        *("sent_at[gte]", "sent_at[lte]", "is_heavy", "within_id"),
    ]
    page = crates.get(f"{LIST}?label[contains]=CRATE+1&weight[lte]=18&state=&is_heavy=false")
    assert labels(page) == [1, 10, 11, 12]
    assert "4 found" in page.text
    assert "Label contains CRATE 1" in page.text
    assert '<option value="false" selected>No</option>' in page.text


def test_a_heading_sorts_and_a_filter_in_force_can_be_taken_away(crates):
    page = crates.get(f"{LIST}?is_heavy=true")
    by_weight = next(each for each in re.findall(r'href="([^"]*)"', page.text) if "-weight" in each)
    page = crates.get(unescape(by_weight))
    assert labels(page) == [30, 29, 28, 27, 26]
    assert 'aria-sort="descending"' in page.text
    without = re.search(r'<a href="([^"]*)" title="Without this filter">', page.text)[1]
    assert labels(crates.get(unescape(without)))[0] == 30
    assert "30 in all" in crates.get(unescape(without)).text


def test_days_are_those_of_the_office(crates):
    # The 24th was sent at half past eleven in UTC, when London had begun the next day.
    assert labels(crates.get(f"{LIST}?sent_at[gte]=2024-07-02"))[0] == 24
    page = crates.get(f"{LIST}?sent_at[lte]=2024-06-30")
    assert labels(page) == []
    assert "Nothing fits these filters." in page.text


def test_a_mistake_stands_at_its_field_and_others_are_named(crates):
    answer = crates.get(f"{LIST}?weight[gte]=much&wieght=1")
    assert answer.status_code == 400
    wrong = re.search(r'<div class="field wrong">.*?</div>', answer.text, re.DOTALL)[0]
    assert 'value="much"' in wrong
    assert "No field is named wieght." in answer.text
    assert "Perhaps weight is meant." in answer.text


def test_only_what_is_asked_for_of_each_record_is_shown(crates):
    page = crates.get(f"{LIST}?fields=label,weight").text
    headings = re.findall(r'<th scope="col"[^>]*>.*?</th>', page)
    assert [re.sub(r"<[^>]+>", "", each) for each in headings] == ["Label", "Weight"]
    assert "crate 1" in page


def test_the_file_has_exactly_what_is_filtered_and_sorted(crates):
    page = crates.get(f"{LIST}?is_heavy=true&sort=-weight&limit=2")
    (link,) = re.findall(rf'href="({LIST}\.csv[^"]*)"', page.text)
    file = crates.get(unescape(link), headers={"Accept": "text/html"})
    assert file.mimetype == "text/csv"
    lines = file.text.splitlines()
    assert len(lines) == 6
    assert lines[1].startswith("30,crate 30,open,45.0,")
    assert crates.get(f"{LIST}.csv?is_heavy=true").status_code == 302


def test_a_record_shows_every_column_and_leads_to_what_belongs_to_it(crates):
    page = crates.get(f"{LIST}/7").text
    for column in CRATES.columns.values():
        assert f"<dt>{column.declared.label}</dt>" in page
    assert f'href="{LIST}/6"' in page
    (related,) = re.findall(rf'href="({LIST}\?within_id=7)"', page)
    assert labels(crates.get(related)) == [8]
    assert crates.get(f"{LIST}/99").status_code == 404
    assert crates.get(f"{LIST}/x").status_code == 404


def test_an_action_is_offered_where_it_applies_and_calls_its_service(crates):
    page = crates.get(f"{LIST}/7").text
    assert "Nobody can open it afterwards." in page
    answer = submit(crates, reason="Full", state="open")
    assert (answer.status_code, answer.location) == (302, f"{LIST}/7")
    page = crates.get(f"{LIST}/7").text
    assert "It is sealed." in page
    assert "<h1>Full</h1>" in page
    assert "Nobody can open it afterwards." not in page


def test_a_refused_action_changes_nothing_and_says_why_at_its_field(crates):
    answer = submit(crates, reason=" ")
    assert answer.status_code == 422
    wrong = re.search(r'<div class="field wrong">.*?</div>', answer.text, re.DOTALL)[0]
    assert "Say why." in wrong
    assert "30 in all" in crates.get(f"{LIST}?label[contains]=").text
    assert labels(crates.get(LIST))
    assert crates.post(f"{LIST}/7/seal", data={"reason": "x"}).status_code == 400


def test_nobody_else_sees_the_section_or_its_collection(crates, another_app, signed_in_client):
    nobody = FlaskClient(another_app, another_app.response_class)
    assert nobody.get(LIST).status_code == 302
    listed = nobody.get("/api/collections").json["data"]
    assert "crates" not in {each["name"] for each in listed}


def test_any_type_is_shown_as_people_write_it(crates):
    page = SimpleNamespace(text=" ".join(re.sub(r"<[^>]+>", " ", crates.get(LIST).text).split()))
    assert "crate 30" not in page.text
    assert "1 Jul 2024, 01:30" in page.text
    assert re.search(r"1 crate 1 Open 1\.5 1 Jul 2024, 01:30 No", page.text)


NAMES = [
    *CRATES.columns,
    "weight[gte]",
    "sent_at[between]",
    "sort",
    "cursor",
    "page",
    "fields",
    "tz",
]
TEXTS = [
    "",
    "\0",
    "1",
    "-1",
    "open",
    "2024-02-30",
    "2024-06-30",
    "true",
    "-weight",
    "x" * 300,
    "a,b",
]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(TEXTS)), max_size=4))
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_address_gives_a_list_or_names_its_mistakes(crates, pairs):
    answer = crates.get(f"{LIST}?{urlencode(pairs)}&state[eq]=open")
    assert answer.status_code in {200, 400}, (pairs, answer.text)
    assert "<h1>Crates</h1>" in answer.text
