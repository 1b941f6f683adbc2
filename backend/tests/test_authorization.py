"""Who may do what: each route and method against everybody who might try.

A new route needs a row in ROWS, or its endpoint in PUBLIC. A row says which role is needed, and
what the request of this test (no body, an id that nothing has) is answered once it is let in.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from flask_jwt_extended import create_access_token, create_refresh_token

from backend.core.auth import ApiBlueprint
from backend.core.database import db

NOTHING = UUID(int=0)
SAMPLES = {"UUIDConverter": NOTHING, "IntegerConverter": 1, "UnicodeConverter": "x"}


@dataclass(frozen=True)
class Row:
    """The role that is needed (none: whoever is signed in), and the statuses of who is let in."""

    role: str | None = None
    statuses: dict[str, int] = field(default_factory=dict)

    def let_in(self, method, *, is_api):
        """Without its CSRF token a page's form is refused, but only after the person was let in."""
        usual = 200 if is_api or method in {"GET", "HEAD"} else 400
        return self.statuses.get("GET" if method == "HEAD" else method, usual)


def staff(**statuses):
    return Row("staff", statuses)


def collection_of_staff(blueprint, name):
    """Return the rows of a collection that staff read, and nobody else."""
    return {
        f"{blueprint}.list_{name}": staff(),
        f"{blueprint}.query_{name}": staff(QUERY=415),
        f"{blueprint}.search_{name}": staff(POST=415),
        f"{blueprint}.aggregate_{name}": staff(),
        f"{blueprint}.describe_{name}": staff(),
        f"{blueprint}.read_{name}": staff(GET=404),
    }


def anybody(**statuses):
    return Row(None, statuses)


ROWS = {
    **collection_of_staff("audit", "audit_events"),
    **collection_of_staff("flows_collections", "flow_files"),
    **collection_of_staff("flows_collections", "flow_findings"),
    **collection_of_staff("flows_collections", "flow_readings"),
    **collection_of_staff("identity_collections", "people"),
    **collection_of_staff("outbox", "outbox_jobs"),
    "audit_console.export_events": staff(GET=302),
    "audit_console.show_event": staff(GET=404),
    "audit_console.show_events": staff(),
    "console.show_console": staff(),
    "flows.create_files": staff(POST=422),
    "flows.show_findings": staff(GET=404),
    "flows.show_progress": staff(GET=404),
    "flows_console.discard_file": staff(),
    "expenses.create_import": staff(POST=415),
    "flows_console.export_readings": staff(),
    "flows_console.release_file": staff(),
    "flows_console.reprocess_file": staff(),
    "flows_console.show_file": staff(GET=404),
    "flows_console.show_file_readings": staff(GET=404),
    "flows_console.export_files": staff(GET=302),
    "flows_console.export_findings": staff(GET=302),
    "flows_console.export_occurrences": staff(GET=302),
    "flows_console.show_files": staff(),
    "flows_console.show_finding": staff(GET=404),
    "flows_console.show_findings": staff(),
    "flows_console.show_occurrence": staff(GET=404),
    "flows_console.show_occurrences": staff(),
    "flows_console.show_line": staff(GET=404),
    "flows_console.show_reading": staff(GET=404),
    "flows_console.show_readings": staff(),
    "flows_console.upload_files": staff(),
    "identity.show_me": anybody(),
    "identity_console.change_roles_of_person": staff(),
    "identity_console.create_person": staff(),
    "identity_console.disable_person": staff(),
    "identity_console.enable_person": staff(),
    "identity_console.end_sessions_of_person": staff(),
    "identity_console.invite_person": staff(),
    "identity_console.export_people": staff(GET=302),
    "identity_console.show_new_person": staff(),
    "identity_console.show_people": staff(),
    "identity_console.show_person": staff(GET=404),
    "mail_console.list_messages": staff(),
    "mail_console.show_message": staff(GET=404),
    "outbox_console.export_jobs": staff(GET=302),
    "outbox_console.replay_job": staff(),
    "outbox_console.show_job": staff(GET=404),
    "outbox_console.show_jobs": staff(),
}

PUBLIC = {
    "collections.list_collections",
    "expenses.aggregate_expenses",
    "expenses.describe_expenses",
    "expenses.list_expenses",
    "expenses.query_expenses",
    "expenses.read_expenses",
    "expenses.search_expenses",
    "expenses_pages.export_expenses",
    "expenses_pages.redirect_aggregates",
    "expenses_pages.redirect_list",
    "expenses_pages.show_expense",
    "expenses_pages.show_expenses",
    "api-docs.openapi_json",
    "docs.show_docs",
    "explain_problem",
    "favicon",
    "healthz",
    "identity.create_tokens",
    "identity.end_tokens",
    "identity.replace_tokens",
    "identity_pages.accept_invitation",
    "identity_pages.create_session",
    "identity_pages.end_session",
    "identity_pages.request_password_reset",
    "identity_pages.reset_password",
    "identity_pages.show_invitation",
    "identity_pages.show_login",
    "identity_pages.show_new_password",
    "identity_pages.show_password_reset",
    "readyz",
    "start.show_start",
    "static",
}


@pytest.fixture(autouse=True)
def _protected_forms(app, monkeypatch):
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", value=True)


def _cells(app):
    """Yield endpoint, method, address, and whether it is the API, for all that is not public."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC:
            continue
        arguments = {
            name: SAMPLES[type(converter).__name__] for name, converter in rule._converters.items()
        }
        for method in sorted(rule.methods - {"OPTIONS"}):
            address = adapter.build(rule.endpoint, arguments, method=method)
            blueprint = app.blueprints.get(rule.endpoint.rpartition(".")[0])
            yield rule.endpoint, method, address, isinstance(blueprint, ApiBlueprint)


def _with_token(app, create, person, **options):
    claims = {"sid": str(uuid4()), "signed_in_at": int(datetime.now(UTC).timestamp() * 10**6)}
    client = app.test_client()
    token = create(str(person.id), additional_claims=claims, **options)
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def _anonymous(app, signed_in, person):
    return app.test_client()


def _expired(app, signed_in, person):
    past = timedelta(minutes=-1)
    client = _with_token(app, create_access_token, person("staff"), expires_delta=past)
    client.set_cookie("quintet", signed_in("staff").get_cookie("quintet").value)
    with client.session_transaction() as cookie:
        cookie["seen_at"] -= int(timedelta(hours=8, seconds=1) / timedelta(microseconds=1))
    return client


def _refresh_token(app, signed_in, person):
    return _with_token(app, create_refresh_token, person("staff"))


def _wrong_door(app, signed_in, person):
    """A client that shows its cookie to the API, and its token to pages."""
    client = signed_in("staff")
    token, cookie = client.environ_base["HTTP_AUTHORIZATION"], client.get_cookie("quintet").value

    def send(address, **options):
        other = app.test_client()
        if address.startswith("/api/"):
            other.set_cookie("quintet", cookie)
        else:
            other.environ_base["HTTP_AUTHORIZATION"] = token
        return other.open(address, **options)

    client.open = send
    return client


def _disabled(app, signed_in, person):
    client = signed_in("staff")
    client.person.is_disabled = True
    db.session.commit()
    return client


def _without_role(app, signed_in, person):
    return signed_in()


def _underwriter(app, signed_in, person):
    return signed_in("underwriter")


def _staff(app, signed_in, person):
    return signed_in("staff")


NOBODY = [_anonymous, _expired, _refresh_token, _wrong_door, _disabled]
SOMEBODY = {_without_role: set(), _underwriter: {"underwriter"}, _staff: {"staff"}}


def test_every_route_has_a_row_or_is_public_and_every_row_a_route(app):
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert endpoints - ROWS.keys() - PUBLIC == set()
    assert (ROWS.keys() | PUBLIC) - endpoints == set()


@pytest.mark.parametrize("who", NOBODY)
def test_whoever_proves_nothing_is_sent_to_sign_in(app, signed_in, person, who):
    client = who(app, signed_in, person)
    wrong = []
    for endpoint, method, address, is_api in _cells(app):
        response = client.open(address, method=method)
        is_refused = (
            response.status_code == 401 and response.mimetype == "application/problem+json"
            if is_api
            else response.status_code == 302 and response.location.startswith("/login")
        )
        if not is_refused:
            wrong.append((endpoint, method, response.status_code))
    assert wrong == []


@pytest.mark.parametrize("who", SOMEBODY)
def test_whoever_is_signed_in_may_do_what_their_role_allows(app, signed_in, person, who):
    client = who(app, signed_in, person)
    wrong = []
    for endpoint, method, address, is_api in _cells(app):
        row = ROWS.get(endpoint, Row("nobody"))
        may = row.role is None or row.role in SOMEBODY[who]
        expected = row.let_in(method, is_api=is_api) if may else 403
        response = client.open(address, method=method)
        if response.status_code != expected:
            wrong.append((endpoint, method, response.status_code, expected))
    assert wrong == []


def test_public_routes_send_nobody_to_sign_in(client, app):
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC and "GET" in rule.methods and not rule.arguments:
            response = client.get(rule.rule)
            assert response.status_code in {200, 302, 308, 503}, rule
            assert not (response.location or "").startswith("/login"), rule
