"""People, what they were given to sign in with, and what was revoked before its time."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, String, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.database import Model, UuidKey


class User(UuidKey, Model):
    """A person who may sign in; without a password hash, not yet."""

    __tablename__ = "identity_user"

    # Its order is that of its bytes, so that a prefix is a range.
    email: Mapped[str] = mapped_column(String(collation="C"))
    name: Mapped[str]
    roles: Mapped[list[str]] = mapped_column(ARRAY(String), default_factory=list)
    password_hash: Mapped[str | None] = mapped_column(default=None)
    is_disabled: Mapped[bool] = mapped_column(default=False)
    tokens_valid_after: Mapped[datetime | None] = mapped_column(
        DateTime(timezone=True), default=None
    )
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), init=False
    )

    __table_args__ = (Index("identity_user_email_unique", text("lower(email)"), unique=True),)

    @property
    def state(self) -> str:
        """Whether the person may sign in: enabled, invited or disabled."""
        if self.is_disabled:
            return "disabled"
        return "invited" if self.password_hash is None else "enabled"


class RefreshToken(Model):
    """A refresh token by its SHA-256; all that follow from one sign-in are a family."""

    __tablename__ = "identity_refresh_token"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    family: Mapped[UUID] = mapped_column(index=True)
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("identity_user.id", ondelete="CASCADE"), index=True
    )
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)


class Revocation(Model):
    """The id of a token, a family or a page's session that is refused until it would expire."""

    __tablename__ = "identity_revocation"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class Link(UuidKey, Model):
    """A link that was promised to somebody by e-mail, and works once.

    What was asked for in the name of an address that nobody has is a link of nobody, never sent.
    """

    __tablename__ = "identity_link"
    __table_args__ = (
        CheckConstraint("purpose in ('invitation', 'password-reset')", name="purpose"),
    )

    purpose: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("identity_user.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    # The id of the job that sends it, which is the message's id as well.
    message_id: Mapped[UUID] = mapped_column(unique=True, init=False)
    token_hash: Mapped[bytes | None] = mapped_column(unique=True, default=None)
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), default=None)

    @property
    def is_expired(self) -> bool:
        """Whether its time is over, by this machine's clock: a word for people, no check."""
        return self.expires_at <= datetime.now(UTC)
