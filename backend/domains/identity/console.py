"""What staff do with people: invite them, change their roles, keep them out, let them in."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from backend.core import auth
from backend.core.auth import Entry, PageBlueprint
from backend.domains.identity.services import invitations, people

INVITED = "An invitation is on its way by e-mail. Its link works once, for seven days."

blueprint = PageBlueprint(
    "identity_console",
    __name__,
    role="staff",
    template_folder="templates",
    entries=[
        Entry("People", "identity_console.list_people", "Who may sign in, and in which roles"),
    ],
)


@blueprint.get("/people")
def list_people() -> str:
    """Show people by e-mail address."""
    search = request.args.get("q", "").strip()
    found, following = people.page(search=search, after=request.args.get("after", ""))
    next_page = url_for(".list_people", q=search or None, after=following) if following else None
    return render_template(
        "identity/people.html", people=found, roles=people.ROLES, search=search, next=next_page
    )


@blueprint.get("/people/new")
def show_new_person() -> str:
    """Show the form for somebody new."""
    return render_template("identity/new_person.html", roles=people.ROLES)


@blueprint.post("/people")
def create_person() -> Response:
    """Create an account, and send its person an invitation."""
    user = invitations.invite(
        email=request.form.get("email", ""),
        name=request.form.get("name", ""),
        roles=request.form.getlist("roles"),
        actor_id=_actor(),
    )
    return _back(user.id, INVITED)


@blueprint.post("/people/<uuid:user_id>/invitations")
def invite_person(user_id: UUID) -> Response:
    """Send another invitation to somebody who has not chosen a password yet."""
    invitations.invite_again(user_id=user_id, actor_id=_actor())
    return _back(user_id, INVITED)


@blueprint.get("/people/<uuid:user_id>")
def show_person(user_id: UUID) -> str:
    """Show one person, and what can be changed."""
    user = people.get(user_id=user_id)
    return render_template(
        "identity/person.html",
        person=user,
        roles=people.ROLES,
        is_self=user.id == _actor(),
        invitation=invitations.latest(user_id=user_id),
    )


@blueprint.post("/people/<uuid:user_id>/roles")
def change_roles(user_id: UUID) -> Response:
    """Give the person the chosen roles, and no others."""
    people.change_roles(user_id=user_id, roles=request.form.getlist("roles"), actor_id=_actor())
    return _back(user_id, "The roles are changed; they hold from the next page on.")


@blueprint.post("/people/<uuid:user_id>/disablement")
def disable_person(user_id: UUID) -> Response:
    """Keep the person out."""
    people.disable(user_id=user_id, actor_id=_actor())
    return _back(user_id, "The person is signed out everywhere, and cannot sign in any more.")


@blueprint.post("/people/<uuid:user_id>/enablement")
def enable_person(user_id: UUID) -> Response:
    """Let the person in again."""
    people.enable(user_id=user_id, actor_id=_actor())
    return _back(user_id, "The person can sign in again.")


@blueprint.post("/people/<uuid:user_id>/sessions-end")
def end_sessions(user_id: UUID) -> Response:
    """Sign the person out everywhere."""
    people.end_sessions(user_id=user_id, actor_id=_actor())
    return _back(user_id, "The person is signed out everywhere.")


def _actor() -> UUID:
    return auth.required_identity().user_id


def _back(user_id: UUID, message: str) -> Response:
    flash(message, "good")
    return redirect(url_for(".show_person", user_id=user_id))
