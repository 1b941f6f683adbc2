"""Passwords: how they are hashed, compared and made up."""

import secrets
import unicodedata
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 1000

# OWASP's first choice for argon2id. Two at a time bound what hashing adds to a process's memory.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_slots = BoundedSemaphore(2)

# Compared with when nobody has that e-mail address, so that the answer takes as long.
NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$yqt1kgMycVq9EAFSxibXqg"
    "$aACnBKCi25MX3IWgr+ncaDAHPGHHUZ9Dwy2mSy4oI8w"
)
# Without the characters that people confuse: 55 ** 16 is more than 92 bits.
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def hashed(password: str) -> str:
    """Return what is kept of the password."""
    with _slots:
        return _hasher.hash(_bytes(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether it is the password; without a kept hash it is not, and takes as long."""
    try:
        with _slots:
            return _hasher.verify(kept or NOBODYS_HASH, _bytes(password)) and kept is not None
    except (InvalidHashError, VerificationError):
        return False


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with other parameters than those of now."""
    return _hasher.check_needs_rehash(kept)


def made_up() -> str:
    """Return a password for somebody to be told once: four groups of four characters."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def _bytes(password: str) -> bytes:
    """One password has one form, however a keyboard composes its characters."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
