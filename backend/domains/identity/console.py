"""What staff do with people: invite them, change their roles, keep them out, let them in."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from backend.core import auth, formats
from backend.core.auth import Identity, PageBlueprint
from backend.core.sections import Action, Input, Section, Values, mount
from backend.core.sections.asking import mistakes
from backend.core.sections.declaration import Record
from backend.domains.identity.collections import people as collection
from backend.domains.identity.services import invitations, people

INVITED = "An invitation is on its way by e-mail. Its link works once, for seven days."

blueprint = PageBlueprint("identity_console", __name__, role="staff", template_folder="templates")


def _is_another(record: Record, identity: Identity) -> bool:
    return bool(record["state"] != "disabled" and record["id"] != str(identity.user_id))


def _change_roles(user_id: UUID, actor: Identity, form: Values) -> None:
    people.change_roles(user_id=user_id, roles=form["roles"], actor_id=actor.user_id)


def _end_sessions(user_id: UUID, actor: Identity, _form: Values) -> None:
    people.end_sessions(user_id=user_id, actor_id=actor.user_id)


def _invite(user_id: UUID, actor: Identity, _form: Values) -> None:
    invitations.invite_again(user_id=user_id, actor_id=actor.user_id)


def _enable(user_id: UUID, actor: Identity, _form: Values) -> None:
    people.enable(user_id=user_id, actor_id=actor.user_id)


def _disable(user_id: UUID, actor: Identity, _form: Values) -> None:
    people.disable(user_id=user_id, actor_id=actor.user_id)


def _invitation(user_id: Any) -> list[tuple[str, Any]]:
    found = invitations.latest(user_id=user_id)
    if found is None:
        return []
    sent = f"sent {formats.local(found.sent_at)}" if found.sent_at else "waiting to be sent"
    until = formats.local(found.expires_at)
    if found.used_at:
        link = "was used or has ended"
    else:
        link = f"has expired on {until}" if found.is_expired else f"works until {until}"
    return [("Last invitation", sent), ("Its link", link)]


ACTIONS = (
    Action(
        "change_roles_of",
        "Change the roles",
        "roles",
        _change_roles,
        sentence="The person gets the chosen roles, and no others.",
        done="The roles are changed; they hold from the next page on.",
        inputs=(
            Input(
                "roles",
                "Roles",
                kind="choices",
                choices=tuple(people.ROLES.items()),
                initial=lambda record: record["roles"].split(", "),
            ),
        ),
    ),
    Action(
        "invite",
        "Send another invitation",
        "invitations",
        _invite,
        sentence="The links that were sent before hold no longer.",
        done=INVITED,
        offered=lambda record, _: record["state"] == "invited",
    ),
    Action(
        "end_sessions_of",
        "Sign out everywhere",
        "sessions-end",
        _end_sessions,
        sentence="Whoever is signed out can sign in again with the password.",
        done="The person is signed out everywhere.",
    ),
    Action(
        "enable",
        "Enable",
        "enablement",
        _enable,
        sentence="The person can sign in again. Whoever has no password yet is invited once more.",
        done="The person is enabled.",
        offered=lambda record, _: record["state"] == "disabled",
    ),
    Action(
        "disable",
        "Disable",
        "disablement",
        _disable,
        sentence="The person is signed out everywhere, and cannot sign in until enabled again.",
        done="The person is signed out everywhere, and cannot sign in any more.",
        offered=_is_another,
        is_dangerous=True,
    ),
)

mount(
    blueprint,
    Section(
        collection,
        name="people",
        singular="person",
        main="email",
        columns=("email", "name", "roles", "state", "created_at"),
        filters=("email[startswith]", "name[contains]", "roles[contains]", "state"),
        actions=ACTIONS,
        badges={"state": {"enabled": "good", "invited": "warning", "disabled": "bad"}},
        buttons=(("Add a person", "identity_console.show_new_person"),),
        more=_invitation,
        empty="Nobody yet.",
    ),
    "/people",
)


@blueprint.get("/people/new")
def show_new_person() -> str:
    """Show the form for somebody new."""
    return _new_person({}, [])


@blueprint.post("/people")
def create_person() -> Response | tuple[str, int]:
    """Create an account, and send its person an invitation; else show the form as it was sent."""
    try:
        user = invitations.invite(
            email=request.form.get("email", ""),
            name=request.form.get("name", ""),
            roles=request.form.getlist("roles"),
            actor_id=auth.required_identity().user_id,
        )
    except people.PersonInvalid as refused:
        return _new_person(*mistakes(("email", "name"), refused.errors)), refused.status
    except people.EmailTaken as refused:
        return _new_person({"email": [str(refused)]}, []), refused.status
    flash(INVITED, "good")
    return redirect(url_for(".show_person", key=user.id))


def _new_person(errors: dict[str, list[str]], wrong: list[str]) -> str:
    return render_template(
        "identity/new_person.html",
        roles=people.ROLES,
        given=request.form,
        errors=errors,
        wrong=wrong,
    )
