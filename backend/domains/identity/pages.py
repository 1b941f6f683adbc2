"""The pages on which a person signs in and out, and chooses a password by a link."""

from flask import flash, redirect, render_template, request
from werkzeug.wrappers import Response

from backend.core import auth, limits
from backend.core.auth import PageBlueprint
from backend.core.auth import sessions as cookie
from backend.core.errors import answer
from backend.domains.identity import passwords
from backend.domains.identity.services import invitations, links, people, resets, sessions

Page = tuple[str, int]

TOO_OLD = "The page was open for too long. Please fill it in once more."

blueprint = PageBlueprint(
    "identity_pages", __name__, public=True, url_prefix="", template_folder="templates"
)


@blueprint.get("/login")
def show_login() -> str | Response:
    """Show the form, unless the person is signed in already."""
    target = auth.local_path(request.args.get("next"))
    if auth.current_identity():
        return redirect(target)
    return render_template("identity/login.html", target=target, email="", is_refused=False)


@blueprint.post("/login")
@limits.limited("password")
def create_session() -> Page | Response:
    """Sign in, and go where the person wanted to go."""
    target = auth.local_path(request.form.get("next"))
    email = request.form.get("email", "")
    password = request.form.get("password", "")
    signed_in = sessions.sign_in(email=email, password=password, door="page")
    if signed_in is None:
        page = render_template("identity/login.html", target=target, email=email, is_refused=True)
        return page, 401
    cookie.start(
        user_id=signed_in.user_id,
        session_id=signed_in.session_id,
        signed_in_at=signed_in.signed_in_at,
    )
    return redirect(target)


@blueprint.post("/logout")
def end_session() -> Response:
    """Sign out in this browser."""
    _leave()
    return redirect("/login")


@blueprint.errorhandler(auth.FormRefused)
def show_form_again(refused: auth.FormRefused) -> Response:
    """Lead back to a form that was open for too long, or in two tabs; nothing of it was done."""
    if auth.page_before() is None:
        return answer(refused)
    target = auth.local_path(request.form.get("next"))
    if request.endpoint == f"{blueprint.name}.end_session":
        if auth.current_identity() is None:
            return redirect("/login")
        flash("You are still signed in. Sign out once more.", "warning")
        return redirect("/")
    if request.endpoint != f"{blueprint.name}.create_session":
        flash(TOO_OLD, "warning")
        return redirect(request.path)
    if auth.current_identity():
        return redirect(target)
    flash(TOO_OLD, "warning")
    return redirect(auth.sign_in_address(target))


@blueprint.get("/invitations/<token>")
def show_invitation(token: str) -> Page:
    """Show the form for a first password; that the link is opened does not use it up."""
    return _show_choice(links.INVITATION, token)


@blueprint.post("/invitations/<token>")
@limits.limited("password")
def accept_invitation(token: str) -> Page | Response:
    """Set the person's first password."""
    errors = _choice_errors()
    if errors or not links.find(purpose=links.INVITATION, token=token):
        return _show_choice(links.INVITATION, token, errors)
    invitations.accept(token=token, password=request.form["password"])
    return _to_login()


@blueprint.get("/password-reset")
def show_password_reset() -> str:
    """Show the form for somebody who has forgotten their password."""
    return render_template("identity/forgotten.html", is_asked=False)


@blueprint.post("/password-reset")
@limits.limited("mail")
def request_password_reset() -> str:
    """Send a link, if there is somebody to send it to; the answer does not tell."""
    resets.request(email=request.form.get("email", ""))
    return render_template("identity/forgotten.html", is_asked=True)


@blueprint.get("/password-reset/<token>")
def show_new_password(token: str) -> Page:
    """Show the form for another password."""
    return _show_choice(links.PASSWORD_RESET, token)


@blueprint.post("/password-reset/<token>")
@limits.limited("password")
def reset_password(token: str) -> Page | Response:
    """Set another password, and sign the person out everywhere."""
    errors = _choice_errors()
    if errors or not links.find(purpose=links.PASSWORD_RESET, token=token):
        return _show_choice(links.PASSWORD_RESET, token, errors)
    resets.reset(token=token, password=request.form["password"])
    return _to_login()


def _show_choice(purpose: str, token: str, errors: dict[str, list[str]] | None = None) -> Page:
    found = links.find(purpose=purpose, token=token)
    if found is None:
        return render_template("identity/dead_link.html"), 404
    page = render_template(
        "identity/choose_password.html",
        person=found[1],
        is_first=purpose == links.INVITATION,
        shortest=passwords.SHORTEST,
        errors=errors or {},
    )
    return page, 422 if errors else 200


def _choice_errors() -> dict[str, list[str]]:
    """Return what is wrong with the two fields of the form, by field."""
    password = request.form.get("password", "")
    errors = [each["detail"] for each in people.password_errors(password)]
    if errors:
        return {"password": errors}
    is_same = request.form.get("again") == password
    return {} if is_same else {"again": ["It is not the same as above."]}


def _leave() -> None:
    proof = cookie.proof()
    if proof and auth.current_identity():
        sessions.sign_out(session_id=proof.ids[0], user_id=proof.user_id)
    cookie.end()


def _to_login() -> Response:
    """Whoever is signed in in this browser need not be whom the link was for."""
    _leave()
    flash("Your password is set. Sign in with it.", "good")
    return redirect("/login")
