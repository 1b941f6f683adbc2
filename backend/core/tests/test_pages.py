import re

import pytest
from flask import render_template_string

from backend.app import create_app
from backend.core import pages
from backend.core.auth import Entry, PageBlueprint

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


@pytest.fixture(scope="module")
def hall():
    """An application with a page for everybody, one for those signed in, and one for staff."""
    app = create_app(database_url=NOWHERE)
    for name, options in {
        "open": {"public": True},
        "shut": {},
        "staffed": {"role": "staff", "url_prefix": "/admin/staffed"},
    }.items():
        entry = Entry(f"The {name} one", f"{name}.show", f"What is {name}.")
        blueprint = PageBlueprint(name, __name__, entries=[entry], **options)
        blueprint.add_url_rule(f"/{name}", "show", lambda: "here")
        app.register_blueprint(blueprint)
    return app


def test_the_start_page_offers_what_a_stranger_may_enter(hall):
    page = hall.test_client().get("/")
    assert page.status_code == 200
    assert "What is open." in page.text
    assert "What is shut." not in page.text
    assert "What is staffed." not in page.text
    assert "/login" in page.text


def test_a_stranger_is_sent_from_the_console_to_sign_in(hall):
    answer = hall.test_client().get("/admin/")
    assert (answer.status_code, answer.location) == (302, "/login?next=/admin/")


def test_a_static_file_is_kept_for_ever_under_the_name_of_its_content(hall):
    client = hall.test_client()
    (address,) = re.findall(r'href="(/static/quintet\.[0-9a-f]{12}\.css)"', client.get("/").text)
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.mimetype == "text/css"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers


def test_a_static_file_of_another_version_is_asked_for_again(hall):
    answer = hall.test_client().get("/static/quintet.000000000000.css")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "name", ["nothing.0.css", "..%2fpages.0.py", "%2e%2e.py", "quintet", "a%00.b.css"]
)
def test_nothing_but_static_files_is_served(hall, name):
    assert hall.test_client().get(f"/static/{name}").status_code == 404


def test_browsers_find_the_icon_where_they_look_for_it(hall):
    answer = hall.test_client().get("/favicon.ico", follow_redirects=True)
    assert answer.mimetype == "image/svg+xml"


def test_a_page_has_no_style_or_script_within_it(hall):
    text = hall.test_client().get("/").text
    assert not re.search(r"<script|<style|style=|\son\w+=", text)


def test_an_error_page_needs_no_database(hall):
    client = hall.test_client()
    with client.session_transaction() as session:
        session.update(user_id="x", session_id="y")
    answer = client.get("/nowhere", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def _render(app, template):
    with app.test_request_context("/"):
        return render_template_string(
            '{% import "parts.html" as parts with context %}' + template
        ).strip()


def test_the_parts_escape_what_they_are_given(hall):
    evil = "<b>\"'"
    templates = [
        "{{ parts.badge(evil) }}",
        "{{ parts.note(evil) }}",
        "{{ parts.empty_state(evil) }}",
        "{{ parts.raw_line(evil, 1) }}",
        "{{ parts.pairs([(evil, evil)]) }}",
        "{{ parts.head(evil, [(evil, evil)], evil) }}",
        "{{ parts.field(evil, 'a', evil, hint=evil, errors=[evil], placeholder=evil) }}",
        "{{ parts.select(evil, 'a', [(evil, evil)], evil) }}",
        "{{ parts.search(evil, 'a', evil) }}",
        "{{ parts.button(evil, evil) }}",
        "{% call(row) parts.table(evil, [evil], [evil]) %}{{ parts.cell(evil, row) }}{% endcall %}",
    ]
    for template in templates:
        assert "<b>" not in _render(hall, f"{{% set evil = {evil!r} %}}{template}"), template


def test_a_wrong_field_says_so_to_those_who_do_not_see(hall):
    field = _render(hall, "{{ parts.field('Name', 'n', hint='Full.', errors=['Missing.']) }}")
    assert 'aria-invalid="true"' in field
    assert 'aria-describedby="hint-n error-n-1"' in field
    assert 'id="error-n-1"' in field


def test_a_table_repeats_its_columns_for_a_phone(hall):
    table = _render(
        hall,
        "{% call(row) parts.table('Cups', ['Tea', ('Cups', 'number')], ['green']) %}"
        "{{ parts.cell('Tea', row) }}{{ parts.cell('Cups', 2, 'number') }}{% endcall %}",
    )
    assert 'data-label="Tea"' in table
    assert "<caption>Cups</caption>" in table


def test_a_table_without_rows_says_what_is_missing(hall):
    template = "{% call(row) parts.table('Cups', ['Tea'], [], empty='No cups.') %}{% endcall %}"
    assert "No cups." in _render(hall, template)


def test_every_static_file_has_an_address(hall):
    with hall.test_request_context("/"):
        for file in pages.STATIC.iterdir():
            assert hall.test_client().get(pages.asset(file.name)).status_code == 200
