import re
from uuid import uuid4

import pytest
from sqlalchemy import event, select, text

from backend.core import outbox
from backend.core.audit import AuditEvent
from backend.core.database import db, transaction
from backend.core.outbox import letters
from backend.domains.identity import tasks
from backend.domains.identity.models import Link, RefreshToken, Revocation

ADA = "ada@quintet.test"


def _again():
    db.session.execute(text("update outbox set next_at = clock_timestamp()"))
    db.session.commit()
    return [*outbox.run_due().values()]


def test_whoever_forgot_their_password_chooses_another_and_is_signed_out_everywhere(
    member, signed_in, visitor, postbox
):
    user = member(email=ADA)
    elsewhere = signed_in(user=user)
    assert 'href="/password-reset"' in visitor.get("/login").text
    assert "is on its way" in visitor.ask(ADA).text
    assert elsewhere.get("/api/auth/me").status_code == 200
    assert [*outbox.run_due().values()] == ["done"]
    (message,) = postbox.messages
    assert (message["To"], "Hello A Person" in message.get_content()) == (ADA, True)
    assert visitor.choose(postbox.links[0]).location == "/login"
    assert elsewhere.get("/api/auth/me").status_code == 401
    assert elsewhere.get("/admin/").status_code == 302
    assert not visitor.can_sign_in(ADA, "correct horse battery")
    assert visitor.can_sign_in(ADA, "a new password")
    assert visitor.get(postbox.links[0]).status_code == 404
    actions = db.session.scalars(select(AuditEvent.action).order_by(AuditEvent.sequence)).all()
    assert actions[:3] == [
        "identity.request-password-reset",
        "identity.send-password-reset",
        "identity.reset-own-password",
    ]


def _statements(work):
    found = []

    def note(_connection, _cursor, statement, *_):
        found.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return found


def _plain(page):
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page)


def test_the_answer_and_its_work_are_the_same_for_known_and_unknown_addresses(
    real_database, member, visitor, postbox
):
    member(email=ADA)
    member(email="gone@quintet.test", is_disabled=True)
    addresses = [ADA, "nobody@quintet.test", "gone@quintet.test"]
    answers, work = [], []
    for address in addresses:
        visitor.get("/password-reset")
        work.append(_statements(lambda address=address: answers.append(visitor.ask(address))))
    assert len({_plain(answer.text) for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {200}
    assert work[0] == work[1] == work[2]
    assert len(work[0]) > 5
    assert [*outbox.run_due().values()] == ["done"] * 3
    assert [message["To"] for message in postbox.messages] == [ADA]


@pytest.mark.parametrize("address", ["nothing", "", "a@b\r\nBcc: c@d.test", "x" * 5000])
def test_what_is_no_address_gets_the_same_answer_and_no_e_mail(address, visitor, postbox):
    assert "is on its way" in visitor.ask(address).text
    assert [*outbox.run_due().values()] == ["done"]
    assert postbox.messages == []


def test_somebody_who_was_invited_but_has_no_password_may_ask_too(person, visitor, postbox):
    person(email=ADA)
    visitor.ask(ADA)
    outbox.run_due()
    visitor.choose(postbox.links[0])
    assert visitor.can_sign_in(ADA, "a new password")


def test_nobody_s_letter_box_is_filled_by_asking_often(member, visitor, postbox):
    member(email=ADA)
    texts = {_plain(visitor.ask(ADA).text) for _ in range(5)}
    assert len(texts) == 1
    while outbox.run_due():
        pass
    assert len(postbox.messages) == 3


def test_every_link_ends_when_one_is_used_or_staff_reset_the_password(
    member, visitor, postbox, quintet
):
    member(email=ADA)
    visitor.ask(ADA)
    visitor.ask(ADA)
    outbox.run_due()
    first, second = postbox.links
    visitor.choose(second)
    assert visitor.get(first).status_code == 404
    visitor.ask(ADA)
    outbox.run_due()
    third = postbox.links[2]
    assert visitor.get(third).status_code == 200
    quintet("identity", "reset-password", ADA)
    assert visitor.get(third).status_code == 404


def test_a_link_holds_for_an_hour_from_when_it_was_asked_for(member, visitor, postbox):
    member(email=ADA)
    visitor.ask(ADA)
    outbox.run_due()
    kept = db.session.scalars(select(Link)).one()
    assert (kept.expires_at - kept.created_at).total_seconds() == 3600
    db.session.execute(text("update identity_link set expires_at = clock_timestamp()"))
    assert visitor.get(postbox.links[0]).status_code == 404


TROUBLES = {
    "away": lambda box: box.stop(),
    "hanging": lambda box: vars(box).update(pause=2),
    "busy": lambda box: box.answers.update(RCPT="451 Later"),
    "full": lambda box: box.answers.update(DATA="452 Full"),
    "asking for a password": lambda box: box.answers.update(RCPT="530 Sign in"),
    "refusing our sender": lambda box: box.answers.update(MAIL="550 Not yours"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_one_e_mail_arrives_once_the_mail_server_is_well_again(trouble, member, visitor, postbox):
    member(email=ADA)
    TROUBLES[trouble](postbox)
    assert visitor.ask(ADA).status_code == 200
    assert [*outbox.run_due().values()] == ["failed"]
    assert db.session.scalars(select(Link)).one().sent_at is None
    postbox.recover()
    if trouble == "away":
        postbox.start()
    assert _again() == ["done"]
    assert len(postbox.messages) == 1
    assert db.session.scalars(select(Link)).one().sent_at is not None
    (job,) = db.session.scalars(select(outbox.Job)).all()
    assert outbox.run(job.id) == "skipped"
    assert len(postbox.messages) == 1


def test_an_address_that_is_refused_for_good_is_a_dead_letter_which_a_replay_sends(
    member, visitor, postbox
):
    member(email=ADA)
    postbox.answers = {"RCPT": "550 No mailbox ada@quintet.test"}
    visitor.ask(ADA)
    assert [*outbox.run_due().values()] == ["dead"]
    (job,) = letters.dead()
    assert job.topic == "identity.send_password_reset"
    assert job.last_error == "MailRefused: the server answered 550 No mailbox [e-mail]"
    postbox.recover()
    with transaction():
        letters.replay(job.id)
    assert _again() == ["done"]
    assert len(postbox.messages) == 1


def test_a_link_that_expired_before_it_could_be_sent_is_not_sent(member, visitor, postbox):
    member(email=ADA)
    postbox.answers = {"RCPT": "451 Later"}
    visitor.ask(ADA)
    assert [*outbox.run_due().values()] == ["failed"]
    postbox.recover()
    db.session.execute(text("update identity_link set expires_at = clock_timestamp()"))
    assert _again() == ["done"]
    assert postbox.messages == []


def test_an_e_mail_that_was_sent_is_not_sent_by_a_second_job(member, visitor, postbox):
    member(email=ADA)
    visitor.ask(ADA)
    outbox.run_due()
    kept = db.session.scalars(select(Link)).one()
    with transaction():
        outbox.enqueue("identity.send_password_reset", link_id=str(kept.id))
        outbox.enqueue("identity.send_password_reset", link_id=str(uuid4()))
    assert [*outbox.run_due().values()] == ["done", "done"]
    assert len(postbox.messages) == 1


def test_what_expired_is_swept_and_the_rest_stays(member):
    user = member()
    now = text("clock_timestamp()")
    for number, seconds in enumerate((-1, 60)):
        moment = db.session.scalar(text(f"select {now} + interval '{seconds} s'"))
        token = {"token_hash": bytes([number]), "family": uuid4(), "user_id": user.id}
        db.session.add(RefreshToken(**token, expires_at=moment))
        db.session.add(Revocation(id=uuid4(), expires_at=moment))
    db.session.flush()
    tasks.sweep(tick="2026-01-01T03:23:00+00:00")
    assert [each.token_hash for each in db.session.scalars(select(RefreshToken))] == [b"\x01"]
    assert len(db.session.scalars(select(Revocation)).all()) == 1
