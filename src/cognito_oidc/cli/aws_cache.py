"""AWS credentials that are still good, kept in files of this user.

Decides where they are and for how long they are given out. AWS's own tools keep theirs the same way. The name of a file
is a digest, of whose credentials they are among other things: another person's sign-in does not find them.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cognito_oidc.cli.profile_file import APP_NAME
from cognito_oidc.cli.sessions import session_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cognito_oidc.cli.profiles import Profile

# AWS's SDKs ask for new ones when fewer than 15 minutes are left, and must not be given the same again (botocore's
# advisory refresh timeout).
_EARLY: Final = 15 * 60 + 60


def cached_credentials(profile: Profile, *whose: str) -> Mapping[str, object] | None:
    """Return credentials that are good for a while yet, or None.

    Args:
        profile: The profile they came of.
        *whose: What else they depend on: identity pool, role, the person's `sub`.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        document = json.loads(_path(profile, whose).read_text(encoding="utf-8"))
        if datetime.fromisoformat(document["Expiration"]).timestamp() - time.time() > _EARLY:
            return dict(document)
    return None


def keep_credentials(credentials: Mapping[str, object], profile: Profile, *whose: str) -> None:
    """Keep credentials for the next call; where that cannot be done, the next call asks again."""
    path = _path(profile, whose)
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(credentials, file)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def forget_credentials(profile: Profile) -> None:
    """Forget all credentials that came of a profile."""
    for path in _folder().glob(f"{_digest(session_key(profile))}-*"):
        path.unlink(missing_ok=True)


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path(APP_NAME, appauthor=False) / "aws"


def _path(profile: Profile, whose: tuple[str, ...]) -> Path:
    return _folder() / f"{_digest(session_key(profile))}-{_digest(chr(0).join(whose))}.json"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
