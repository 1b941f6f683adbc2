"""The keys that sign and check tokens: Ed25519, several at once by `kid`."""

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from backend.core.config import InvalidSettings, Settings

_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)


@dataclass(frozen=True)
class Keys:
    """The key that signs, and every key whose signature is accepted, by `kid`."""

    signing: Ed25519PrivateKey
    kid: str
    accepted: dict[str, Ed25519PublicKey]


def read_keys(settings: Settings) -> Keys:
    """Return the keys of the settings; a person's own machine derives one from the secret key.

    Every PEM is accepted, the first one, a private key, signs. A retired key may stay as its
    public half.

    :raises InvalidSettings: when a PEM is no Ed25519 key, or the first one cannot sign
    """
    blocks = _PEM.findall(settings.jwt_keys)
    if not blocks and settings.is_local:
        derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"quintet-jwt")
        local = Ed25519PrivateKey.from_private_bytes(derive.derive(settings.secret_key.encode()))
        return Keys(local, _kid(local.public_key()), {_kid(local.public_key()): local.public_key()})
    keys = [_read_key(block) for block in blocks]
    if not keys or not isinstance(keys[0], Ed25519PrivateKey):
        raise InvalidSettings("QUINTET_JWT_KEYS: the first key has to be a private one, it signs")
    halves = [key.public_key() if isinstance(key, Ed25519PrivateKey) else key for key in keys]
    return Keys(keys[0], _kid(halves[0]), {_kid(half): half for half in halves})


def _read_key(pem: str) -> Ed25519PrivateKey | Ed25519PublicKey:
    try:
        if "PRIVATE KEY" in pem:
            key = load_pem_private_key(pem.encode(), None)
        else:
            key = load_pem_public_key(pem.encode())
    except (TypeError, ValueError):
        raise InvalidSettings("QUINTET_JWT_KEYS: one of the keys is not a readable PEM") from None
    if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        raise InvalidSettings("QUINTET_JWT_KEYS: only Ed25519 keys are used")
    return key


def _kid(key: Ed25519PublicKey) -> str:
    digest = hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()
