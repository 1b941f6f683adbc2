"""The settings of every process, read from the environment once and checked before it starts."""

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from flask import current_app

from backend.core import addresses

Environment = Literal["local", "dev", "staging", "production"]

LOCAL_SECRET = "only-for-a-persons-own-machine"  # noqa: S105  refused outside local


class InvalidSettings(Exception):
    """A setting is missing, malformed, or unsafe outside a person's own machine."""


def setting(
    variable: str, meaning: str, default: object = MISSING, read: Callable[[str], object] = str
) -> Any:
    """Describe a field by its environment variable, its meaning, its default and how it is read."""
    return field(
        default=default,
        metadata={"variable": variable, "meaning": meaning, "read": read},
    )


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0", ""}:
        raise ValueError("true or false is expected")
    return text.lower() in {"true", "1"}


def _number(text: str, most: int, meaning: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        raise ValueError(f"{meaning}, {most} at most, is expected")
    return int(text)


def _minutes(text: str) -> timedelta:
    return timedelta(minutes=_number(text, 525_600, "a number of minutes"))


def _days(text: str) -> int:
    return _number(text, 36_500, "a number of days, 0 for ever")


def _secret(text: str) -> str:
    """Read a secret that may be given as `@/path/of/a/file`."""
    return Path(text[1:]).read_text().strip() if text.startswith("@") else text


def _mail_server(text: str) -> str:
    return addresses.mail_server(_secret(text))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{' or '.join(words)} is expected")
        return text

    return read


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, in the order of the README's table."""

    environment: Environment = setting(
        "QUINTET_ENVIRONMENT", "local, dev, staging or production", "local"
    )
    database_url: str = setting("DATABASE_URL", "the application's PostgreSQL", read=_secret)
    database_owner_url: str = setting(
        "QUINTET_DATABASE_OWNER_URL", "PostgreSQL as the owner, for migrations", "", _secret
    )
    broker_url: str = setting("REDIS_URL", "the broker; relay and workers only", "", _secret)
    secret_key: str = setting(
        "QUINTET_SECRET_KEY", "signs cookies, cursors and links in e-mails", LOCAL_SECRET, _secret
    )
    secret_key_previous: str = setting(
        "QUINTET_SECRET_KEY_PREVIOUS", "still read after a rotation, never signed with", "", _secret
    )
    build_id: str = setting("QUINTET_BUILD_ID", "tells the caches of two versions apart", "")
    jwt_keys: str = setting(
        "QUINTET_JWT_KEYS", "Ed25519 private keys in PEM, the first one signs", "", _secret
    )
    files_url: str = setting("QUINTET_FILES_URL", "folder or s3:// for files", ".quintet/files")
    mail_from: str = setting(
        "QUINTET_MAIL_FROM",
        "sender of e-mails",
        "Quintet <no-reply@quintet.test>",
        addresses.sender,
    )
    mail_url: str = setting(
        "QUINTET_MAIL_URL", "smtp://, smtp+starttls:// or smtps://", "", _mail_server
    )
    limits_url: str = setting("QUINTET_LIMITS_URL", "Valkey for rate limits", "", _secret)
    public_url: str = setting(
        "QUINTET_PUBLIC_URL", "address that people use", "http://127.0.0.1:8000"
    )
    browser_origins: tuple[str, ...] = setting(
        "QUINTET_BROWSER_ORIGINS", "origins whose pages may read the API", (), _names
    )
    proxy_hops: int = setting("QUINTET_PROXY_HOPS", "reverse proxies in front", 0, int)
    metrics_port: int | None = setting("QUINTET_METRICS_PORT", "port of the metrics", None, int)
    metrics_host: str = setting("QUINTET_METRICS_HOST", "address of the metrics", "127.0.0.1")
    health_folder: str = setting("QUINTET_HEALTH_FOLDER", "where workers show their health", "")
    demo_password: str = setting(
        "QUINTET_DEMO_PASSWORD", "of the demonstration people, local only", "quintet-demo"
    )
    flows_check_digit: Literal["reject", "warn"] = setting(
        "QUINTET_FLOWS_CHECK_DIGIT",
        "what an MPAN's wrong check digit does: reject or warn",
        "reject",
        _one_of("reject", "warn"),
    )
    flows_async_bytes: int = setting(
        "QUINTET_FLOWS_ASYNC_BYTES", "uploads above are imported by a job", 20_000_000, int
    )
    flows_drop: str = setting("QUINTET_FLOWS_DROP", "folder in which files are left for us", "")
    flows_drop_patience: timedelta = setting(
        "QUINTET_FLOWS_DROP_MINUTES",
        "how long a file without trailer is waited for",
        timedelta(minutes=15),
        _minutes,
    )
    flows_sftp: str = setting(
        "QUINTET_FLOWS_SFTP",
        "sftp://user@host:port/folder to fetch files from",
        "",
        addresses.sftp_folder,
    )
    flows_sftp_host_keys: str = setting(
        "QUINTET_FLOWS_SFTP_HOST_KEYS", "file of known hosts, the only ones trusted", ""
    )
    flows_sftp_key: str = setting(
        "QUINTET_FLOWS_SFTP_KEY", "file of the private key for that server", ""
    )
    flows_archive_days: int = setting(
        "QUINTET_FLOWS_ARCHIVE_DAYS", "how long originals are kept, 0 for ever", 0, _days
    )
    flows_findings_days: int = setting(
        "QUINTET_FLOWS_FINDINGS_DAYS", "how long findings are kept, 0 for ever", 0, _days
    )
    expenses_public: bool | None = setting(
        "QUINTET_EXPENSES_PUBLIC", "whether everybody may read expenses", None, _boolean
    )
    access_token_age: timedelta = setting(
        "QUINTET_ACCESS_TOKEN_MINUTES", "life of an access token", timedelta(minutes=15), _minutes
    )

    @property
    def is_local(self) -> bool:
        """Whether this is a person's own machine."""
        return self.environment == "local"

    @property
    def expenses_are_public(self) -> bool:
        """Whether expenses are read without signing in; unless set, on a person's own machine."""
        return self.is_local if self.expenses_public is None else self.expenses_public

    @property
    def owner_url(self) -> str:
        """The address that migrations use."""
        return self.database_owner_url or self.database_url

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] = os.environ, **overrides: object
    ) -> "Settings":
        """Return the settings of this process; `overrides` win over the environment.

        :raises InvalidSettings: naming every variable that is missing, malformed or unsafe
        """
        values, problems = dict(overrides), []
        for each in fields(cls):
            variable = each.metadata["variable"]
            if each.name in values:
                continue
            if variable in environ:
                try:
                    values[each.name] = each.metadata["read"](environ[variable])
                except (ValueError, OSError) as error:
                    problems.append(f"{variable}: {error}")
            elif each.default is MISSING:
                problems.append(f"{variable} is missing: {each.metadata['meaning']}")
        if problems:
            raise InvalidSettings("; ".join(problems))
        settings = cls(**values)  # type: ignore[arg-type]  # each was read as its field says
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse what is unsafe outside a person's own machine."""
        problems = []
        if self.environment not in get_args(Environment):
            problems.append(f"QUINTET_ENVIRONMENT is one of {', '.join(get_args(Environment))}")
        if not self.is_local:
            if self.secret_key == LOCAL_SECRET:
                problems.append("QUINTET_SECRET_KEY needs a value of its own")
            if not self.jwt_keys:
                problems.append("QUINTET_JWT_KEYS is missing")
            if not self.mail_url:
                problems.append("QUINTET_MAIL_URL is missing, and the folder is for local use only")
            if not self.public_url.startswith("https://"):
                problems.append("QUINTET_PUBLIC_URL has to begin with https://")
        if problems:
            raise InvalidSettings("; ".join(problems))


def current_settings() -> Settings:
    """Return the settings of the running application."""
    settings: Settings = current_app.extensions["settings"]
    return settings
