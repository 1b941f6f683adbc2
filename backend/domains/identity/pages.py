"""The pages on which a person signs in and out."""

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from backend.core import auth
from backend.core.auth import PageBlueprint
from backend.core.auth import sessions as cookie
from backend.domains.identity.services import sessions

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
def create_session() -> tuple[str, int] | Response:
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
    proof = cookie.proof()
    if proof and auth.current_identity():
        sessions.sign_out(session_id=proof.ids[0], user_id=proof.user_id)
    cookie.end()
    return redirect("/login")
