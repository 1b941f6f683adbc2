"""The page on which a person reads the e-mails that their own machine did not send."""

from uuid import UUID

from flask import Flask, render_template

from backend.core import mail
from backend.core.auth import Entry, PageBlueprint
from backend.core.config import Settings
from backend.core.errors import NotFound

NEWEST = 100


class MessageNotFound(NotFound):
    """There is no such e-mail in the local folder. The list shows those that are."""


def list_messages() -> str:
    """Show the newest e-mails."""
    messages = [(_id(each["Message-ID"]), each) for each in mail.kept(NEWEST)]
    return render_template("mail/messages.html", messages=messages, newest=NEWEST)


def show_message(message_id: UUID) -> str:
    """Show one e-mail; its links can be followed."""
    message = mail.find(str(message_id))
    if message is None:
        raise MessageNotFound(f"There is no e-mail {message_id}.")
    paragraphs = message.get_content().replace("\r\n", "\n").strip().split("\n\n")
    return render_template("mail/message.html", message=message, paragraphs=paragraphs)


def _id(header: str) -> str:
    return header.strip("<>").partition("@")[0]


def init_app(app: Flask) -> None:
    """Open the page where e-mails are kept instead of sent; elsewhere there is no such address."""
    settings: Settings = app.extensions["settings"]
    if not settings.is_local or settings.mail_url:
        return
    entry = Entry("E-mails", "mail_console.list_messages", "What would have been sent, kept here.")
    console = PageBlueprint(
        "mail_console", __name__, role="staff", url_prefix="/admin/mail", entries=[entry]
    )
    console.add_url_rule("", view_func=list_messages)
    console.add_url_rule("/<uuid:message_id>", view_func=show_message)
    app.register_blueprint(console)
