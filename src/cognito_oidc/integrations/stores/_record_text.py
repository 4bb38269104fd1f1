"""The text of a record in a store: JSON, or encrypted where there are keys.

Decides that an encrypted record is bound to the key it is kept under, so that nobody who can write to the store can
give one person another's session, and which records a store may call damaged. Decides nothing about where it is kept.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from cognito_oidc import StoredToken
from cognito_oidc.errors import ConfigurationError, StoreError
from cognito_oidc.protocol.encoding import decode_base64url
from cognito_oidc.protocol.sealing import check_keys, seal, unseal

EncryptionKeys = Iterable[bytes | str] | bytes | str

_PURPOSE: Final = "cognito-oidc-tokens"
_MARK: Final = "sealed1"
_MAX_TEXT: Final = 2 * 1024 * 1024


class RecordText:
    """Writes and reads the text of records. Its repr shows no key."""

    def __init__(self, encryption_keys: EncryptionKeys) -> None:
        """Take the keys, newest first: the first one encrypts, each decrypts. None at all leaves the text as it is.

        Raises:
            ConfigurationError: One is not 32 bytes, nor the base64url of 32 bytes.
        """
        one = isinstance(encryption_keys, bytes | str) or not isinstance(encryption_keys, Iterable)
        given = (encryption_keys,) if one else tuple(encryption_keys)
        keys = check_keys(_octets(key) for key in given) if given else ()
        self._keys = {_id_of(key): key for key in keys}

    def __repr__(self) -> str:
        """Show how many keys there are."""
        return f"RecordText({len(self._keys)} keys)"

    def write(self, record: StoredToken, *, key: str) -> str:
        """Return the text of a record that is to be kept under `key`: ASCII."""
        text = record.to_json()
        for name, newest in self._keys.items():
            sealed = seal(_digest(key) + text.encode(), newest, purpose=_PURPOSE)
            return f"{_MARK}.{name}.{sealed}"
        return text

    def read(self, text: str | bytes, *, key: str) -> StoredToken:
        """Return the record of a text that was found under `key`.

        Raises:
            StoreError: It cannot be read. `code` is `"store_damaged"` where it never will be: it is no record, was
                changed, or belongs to another key. It is `"store_sealed"` where an encryption key is missing, or one
                is there and the text is not encrypted; and `"store_newer"` where a newer version wrote it. A store
                keeps the last two for who can read them.
        """
        if isinstance(text, bytes):
            text = text.decode("ascii", "replace")
        if not text.startswith(f"{_MARK}."):
            if self._keys and text.startswith("{"):
                msg = "A stored session is not encrypted, and this store has encryption keys: delete that session."
                raise StoreError(msg, code="store_sealed", retryable=False)
            return StoredToken.from_json(text)
        _, name, sealed = [*text.split(".", 2), "", ""][:3]
        if name not in self._keys:
            msg = "A stored session is encrypted with a key that is not among encryption_keys: add it, as the last."
            raise StoreError(msg, code="store_sealed", retryable=False)
        opened = unseal(sealed, self._keys[name], purpose=_PURPOSE, max_length=_MAX_TEXT)
        bound = _digest(key)
        if opened is None or not hmac.compare_digest(opened[: len(bound)], bound):
            msg = "A stored session cannot be decrypted: it was changed, or is that of another key."
            raise StoreError(msg, code="store_damaged", retryable=False)
        return StoredToken.from_json(opened[len(bound) :])


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def _id_of(key: bytes) -> str:
    """Return a name for a key that tells nothing about it."""
    return sha256(b"cognito-oidc key id " + key).hexdigest()[:8]


def _octets(key: object) -> bytes:
    """Return the bytes of a key in base64url; anything else as it is, for `check_keys` to judge."""
    if not isinstance(key, str):
        return check_keys(key)[0]  # type: ignore[arg-type]  # judges whatever came
    try:
        return decode_base64url(key.rstrip("=").encode("ascii"))
    except ValueError:
        msg = "An encryption key as text is the base64url of 32 random bytes: secrets.token_urlsafe(32) makes one."
        raise ConfigurationError(msg) from None
