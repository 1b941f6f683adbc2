import html
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from sqlalchemy import select, text

from backend.core import outbox
from backend.core.audit import AuditEvent
from backend.core.auth import people as directory
from backend.core.database import db
from backend.core.outbox import topics
from backend.domains.identity.models import Link
from backend.domains.identity.services import links, people

GRACE = "grace@quintet.test"
LIST = "/admin/identity/people"


@pytest.fixture
def invited(signed_in, submit, postbox):
    """Invite grace@quintet.test in the console; returns the page that her e-mail leads to."""
    console = signed_in("staff")
    submit(console, f"{LIST}/new", LIST, email=" Grace@quintet.test", name="Grace", roles="staff")
    assert set(outbox.run_due().values()) == {"done"}
    return postbox.links[0]


def _actions():
    return db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.sequence)).all()


def test_an_invited_person_chooses_a_password_and_signs_in(invited, visitor, postbox):
    (message,) = postbox.messages
    assert message["To"] == "grace@quintet.test"
    assert "Hello Grace" in message.get_content()
    assert not visitor.can_sign_in(GRACE)
    page = visitor.get(invited).text
    assert page.count('autocomplete="new-password"') == 2
    assert 'value="grace@quintet.test"' in page
    answer = visitor.choose(invited)
    assert answer.location == "/login"
    assert "Your password is set" in visitor.get("/login").text
    assert visitor.can_sign_in(GRACE)
    assert people.find(email="grace@quintet.test").roles == ["staff"]
    assert _actions()[:5] == [
        "identity.create",
        "identity.invite",
        "identity.send-invitation",
        "identity.refuse-sign-in",
        "identity.accept-invitation",
    ]


def test_a_link_works_once_and_then_leads_to_another(invited, visitor):
    visitor.choose(invited)
    for page in (invited, f"{invited}x"):
        answer = visitor.get(page)
        assert answer.status_code == 404
        assert 'href="/password-reset"' in answer.text
    late = visitor.choose("/password-reset", "a third password", action=invited)
    assert late.status_code == 404
    assert visitor.can_sign_in(GRACE)


def test_of_two_who_use_a_link_at_once_one_succeeds(real_database, invited, submit):
    pages = [real_database.test_client() for _ in range(3)]

    def choose(number):
        with real_database.app_context():
            password = f"password number {number}"
            fields = {"password": password, "again": password}
            return submit(pages[number], "/password-reset", invited, **fields).status_code

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(choose, range(3))) == [302, 404, 404]


def test_looking_at_a_link_or_choosing_badly_does_not_use_it_up(invited, visitor):
    for password, again, message in (
        ("short", None, "It needs 12 to 1000 characters."),
        ("a new password", "another password", "It is not the same as above."),
    ):
        answer = visitor.choose(invited, password, again)
        assert answer.status_code == 422
        assert message in html.unescape(answer.text)
        assert 'aria-invalid="true"' in answer.text
        assert "a new password" not in answer.text
    assert visitor.choose(invited).status_code == 302


@pytest.mark.parametrize("case", ["expired", "disabled", "enabled again", "another purpose"])
def test_a_link_that_holds_no_longer_is_refused(invited, visitor, case):
    user = people.find(email="grace@quintet.test")
    if case == "expired":
        db.session.execute(text("update identity_link set expires_at = clock_timestamp()"))
    elif case == "another purpose":
        db.session.execute(text("update identity_link set purpose = 'password-reset'"))
    else:
        people.disable(user_id=user.id, actor_id=None)
    if case == "enabled again":
        people.enable(user_id=user.id, actor_id=None)
    assert visitor.get(invited).status_code == 404


@pytest.mark.parametrize("token", ["x", "%00", "%ff", "a" * 5000])
def test_a_made_up_link_is_not_found(visitor, token):
    assert visitor.get(f"/invitations/{token}").status_code == 404


def test_neither_address_nor_secret_is_in_the_queue_or_the_tables(invited):
    token = invited.rpartition("/")[2]
    rows = db.session.execute(text("select outbox::text from outbox")).scalars().all()
    rows += db.session.execute(text("select l::text from identity_link l")).scalars().all()
    rows += db.session.execute(text("select a::text from audit_event a")).scalars().all()
    everything = "\n".join(rows)
    assert token not in everything
    assert "grace" not in everything.lower()
    kept = db.session.scalars(select(Link)).one()
    assert len(kept.token_hash) == 32
    assert len(token) == 43


def test_a_repeated_e_mail_has_the_same_link_and_id(signed_in, submit, postbox):
    submit(signed_in("staff"), f"{LIST}/new", LIST, email="grace@quintet.test", name="Grace")
    postbox.drops = True  # Accepted, and the server gone before it said so.
    assert set(outbox.run_due().values()) == {"failed"}
    postbox.recover()
    db.session.execute(text("update outbox set next_at = clock_timestamp()"))
    assert set(outbox.run_due().values()) == {"done"}
    first, second = postbox.messages
    assert len(set(postbox.links)) == 1
    assert first["Message-ID"] == second["Message-ID"]
    (job,) = db.session.scalars(select(outbox.Job)).all()
    assert first["Message-ID"] == f"<{job.id}@127.0.0.1>"


def test_the_id_of_the_request_is_in_the_log_of_the_job_and_in_the_audit_of_the_e_mail(
    signed_in, submit, postbox, monkeypatch
):
    seen = []
    topic = topics.TOPICS["identity.send_invitation"]
    send = topic.call

    def call(message):
        seen.append(structlog.contextvars.get_contextvars())
        return send(message)

    monkeypatch.setitem(topics._TOPICS, topic.name, replace_call(topic, call))
    console = signed_in("staff")
    console.environ_base["HTTP_X_REQUEST_ID"] = "invite-7"
    submit(console, f"{LIST}/new", LIST, email="grace@quintet.test", name="Grace")
    outbox.run_due()
    (context,) = seen
    assert context["request_id"] == "invite-7"
    assert context["user_id"] == str(console.person.id)
    assert context["topic"] == "identity.send_invitation"
    asked, sent = (
        db.session.scalars(select(AuditEvent).where(AuditEvent.action == action)).one()
        for action in ("identity.invite", "identity.send-invitation")
    )
    assert asked.request_id == sent.request_id == "invite-7"
    assert asked.object_id == sent.object_id


def replace_call(topic, call):
    return type(topic)(**(vars(topic) | {"call": call}))


def test_the_console_tells_how_an_invitation_stands_and_sends_another(
    signed_in, submit, postbox, visitor
):
    console = signed_in("staff")
    answer = submit(console, f"{LIST}/new", LIST, email="grace@quintet.test", name="Grace")
    page = answer.location
    assert "An invitation is on its way" in console.get(page).text
    assert "waiting to be sent" in console.get(page).text
    assert "Invited" in console.get(LIST).text
    outbox.run_due()
    assert "works until" in console.get(page).text
    assert submit(console, page, f"{page}/invitations").location == page
    outbox.run_due()
    first, second = postbox.links
    assert first != second
    assert visitor.get(first).status_code == 404
    visitor.choose(second)
    assert "was used or has ended" in console.get(page).text
    assert "Send another invitation" not in console.get(page).text
    assert submit(console, page, f"{page}/invitations").status_code == 409


def test_the_console_tells_that_an_invitation_has_expired(invited, signed_in):
    user = people.find(email="grace@quintet.test")
    db.session.execute(text("update identity_link set expires_at = clock_timestamp()"))
    page = signed_in("staff").get(f"{LIST}/{user.id}").text
    assert "has expired on" in page
    assert "works until" not in page


def test_a_disabled_person_is_neither_invited_nor_sent_what_was_asked_for(
    quintet, postbox, submit, signed_in
):
    quintet("identity", "invite", "grace@quintet.test")
    user = people.find(email="grace@quintet.test")
    people.disable(user_id=user.id, actor_id=None)
    assert set(outbox.run_due().values()) == {"done"}
    assert postbox.messages == []
    console = signed_in("staff")
    page = f"{LIST}/{user.id}"
    assert submit(console, page, f"{page}/invitations").status_code == 409


def test_a_command_invites_and_invites_again(quintet, visitor, postbox):
    for _ in range(2):
        words = ("identity", "invite", "grace@quintet.test", "--role", "underwriter")
        result = quintet(*words)
        assert (result.exit_code, result.stdout) == (0, "")
    outbox.run_due()
    (link,) = postbox.links
    visitor.choose(link)
    assert visitor.can_sign_in(GRACE)
    assert people.find(email="grace@quintet.test").roles == ["underwriter"]
    again = quintet("identity", "invite", "grace@quintet.test")
    assert (again.exit_code, "has a password already" in again.stderr) == (1, True)
    assert quintet("identity", "invite", "nothing").exit_code == 1


def test_another_domain_invites_whom_it_does_not_find(app, postbox, member):
    known = member(email="ada@quintet.test")
    by = member("staff")
    found = directory.invite(email="ADA@quintet.test", name="Ada", invited_by=by.id)
    new = directory.invite(email="grace@quintet.test", name="Grace", invited_by=by.id)
    again = directory.invite(email="grace@quintet.test", name="Grace", invited_by=by.id)
    db.session.commit()
    assert (found.id, again.id) == (known.id, new.id)
    outbox.run_due()
    assert [message["To"] for message in postbox.messages] == ["grace@quintet.test"]
    with pytest.raises(people.PersonInvalid):
        directory.invite(email="nothing", name="Nobody", invited_by=by.id)


def test_links_that_ended_long_ago_are_forgotten(invited):
    links.sweep()
    assert db.session.scalars(select(Link)).one()
    db.session.execute(text("update identity_link set expires_at = now() - interval '31 days'"))
    links.sweep()
    assert db.session.scalars(select(Link)).all() == []
