import re
from datetime import UTC, datetime
from uuid import uuid4

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


def test_the_navigation_offers_what_the_person_may_enter(hall):
    _, navigation, _ = re.split("<nav|</nav>", hall.test_client().get("/").text, maxsplit=2)
    assert "The open one" in navigation
    assert "The shut one" not in navigation
    assert "Staff console" not in navigation


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
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    with client.session_transaction() as session:
        session.update(user_id=str(uuid4()), session_id=str(uuid4()))
        session.update(signed_in_at=now, seen_at=now)
    answer = client.get("/nowhere", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    answer = client.get("/admin/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (503, "text/html")


def test_a_problem_whose_page_is_broken_is_told_all_the_same():
    app = create_app(database_url=NOWHERE)
    entry = Entry("Broken", "nowhere.at_all", "Leads nowhere.")
    app.register_blueprint(PageBlueprint("broken", __name__, public=True, entries=[entry]))
    answer = app.test_client().get("/", headers={"Accept": "text/html", "X-Request-ID": "r9"})
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.json["instance"] == "/requests/r9"


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


def _luminance(colour):
    digits = colour * 2 if len(colour) == 3 else colour
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_edges_stand_out_from_what_is_behind_them(scheme):
    style = (pages.STATIC / "quintet.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    colours = dict(re.findall(r"--([a-z-]+): #([0-9a-f]+);", light))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([a-z-]+): #([0-9a-f]+);", dark))
    pairs = [(each, back) for each in ("text", "muted", "link") for back in ("page", "surface")]
    pairs += [(each, "raised") for each in ("text", "muted")]
    pairs += [(each, f"{each}-back") for each in ("good", "warning", "bad")]
    pairs += [(each, "surface") for each in ("bad",)]
    pairs += [("text", "neutral-back"), ("on-main", "main"), ("on-main", "main-hover")]
    pairs += [("text", "good-back"), ("text", "warning-back"), ("text", "bad-back")]
    assert {pair: c for pair in pairs if (c := _contrast(*map(colours.get, pair))) < 4.5} == {}
    edges = [("edge", "surface"), ("focus", "page"), ("focus", "surface"), ("main", "surface")]
    assert {pair: c for pair in edges if (c := _contrast(*map(colours.get, pair))) < 3} == {}
