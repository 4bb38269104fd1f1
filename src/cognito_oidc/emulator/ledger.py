"""What a pool remembers between requests: browser sessions, trips to providers, codes, sign-ins, refresh tokens.

Decides how long each lives and when it dies. Time is an argument; whoever calls holds the emulator's lock.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cognito_oidc.emulator.tokens import generate_refresh_token

if TYPE_CHECKING:
    from cognito_oidc.emulator.app_clients import EmulatedAppClient
    from cognito_oidc.emulator.authorization import Demand
    from cognito_oidc.emulator.behaviour import Behaviour
    from cognito_oidc.emulator.providers import OidcProvider, ProviderEndpoints
    from cognito_oidc.emulator.users import EmulatedUser

# https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-managed-login.html: one hour from the
# sign-in, not prolonged by use.
SESSION_SECONDS: Final = 3_600
# https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html: five minutes, used once.
CODE_SECONDS: Final = 300
# https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-oidc-idp.html: five minutes to a provider
# and back.
TRIP_SECONDS: Final = 300
# .../managed-login-endpoints.html: prompts end after five minutes.
_PROMPT_SECONDS: Final = 300
_STATE_BYTES: Final = 384  # opaque and long, as the states of real pools: 512 characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """How a person proved who they are: the claims `amr` and `acr`."""

    amr: tuple[str, ...] = ()
    acr: str | None = None

    def shown(self, behaviour: Behaviour, *, asked: bool) -> Context:
        """Return what of it tokens may say.

        Args:
            behaviour: The emulator's switches.
            asked: Whether `acr_values` or `max_age` was sent.
        """
        visible = behaviour.authentication_context == "always" or (
            behaviour.authentication_context == "on_request" and asked
        )
        return self if visible else Context()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """A browser that is signed in at the pool's domain.

    Attributes:
        user: Who is signed in.
        created_at: Epoch seconds of the sign-in.
        provider: The external provider that they came from, or `COGNITO`.
        context: How they signed in.
    """

    user: EmulatedUser
    created_at: float
    provider: str
    context: Context

    def is_alive(self, now: float) -> bool:
        """Tell whether the session still signs the person in."""
        return now < self.created_at + SESSION_SECONDS and self.user.enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An authorization code, and what it was asked for."""

    user: EmulatedUser
    client: EmulatedAppClient
    redirect_uri: str
    scopes: tuple[str, ...]
    auth_time: int
    nonce: str | None
    code_challenge: str | None
    resource: str | None
    context: Context
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A person who was sent to an external provider, and is expected back within five minutes.

    Attributes:
        demand: What the application asked for.
        provider: Where the person was sent.
        endpoints: The provider's URLs, as they were found when the person left.
        callback: The pool's own callback URL.
        nonce: What the provider's ID token must repeat.
        code_verifier: The PKCE verifier, if a challenge was sent.
        browser: The value of the cookie that only the same browser has.
        started_at: Epoch seconds.
    """

    demand: Demand
    provider: OidcProvider
    endpoints: ProviderEndpoints
    callback: str
    nonce: str
    code_verifier: str | None
    browser: str
    started_at: float

    def is_alive(self, now: float) -> bool:
        """Tell whether the person is still in time."""
        return now < self.started_at + TRIP_SECONDS


@dataclass(frozen=True, slots=True)
class _Challenge:
    user: EmulatedUser | None
    purpose: str
    expires_at: float


@dataclass(slots=True, kw_only=True)
class SignIn:
    """One grant to one app client: all tokens with the same `origin_jti`. Revoked or not as a whole."""

    user: EmulatedUser
    client: EmulatedAppClient
    scopes: tuple[str, ...]
    auth_time: int
    nonce: str | None = None
    resource: str | None = None
    context: Context = field(default_factory=Context)
    refresh_expires_at: float = 0.0
    revoked: bool = False
    origin_jti: str = field(default_factory=lambda: str(uuid.uuid4()))
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(slots=True)
class RefreshToken:
    """A refresh token; `dies_at` is set once it was rotated out."""

    sign_in: SignIn
    dies_at: float

    def is_alive(self, now: float) -> bool:
        """Tell whether the token may still be used."""
        return now < self.dies_at and not self.sign_in.revoked and self.sign_in.user.enabled


class Ledger:
    """Everything that one pool hands out and must know again."""

    __slots__ = ("_challenges", "_codes", "_refresh_tokens", "_sessions", "_sign_ins", "_trips")

    def __init__(self) -> None:
        self._sessions: dict[str, BrowserSession] = {}
        self._codes: dict[str, Code] = {}
        self._refresh_tokens: dict[str, RefreshToken] = {}
        self._sign_ins: dict[str, SignIn] = {}
        self._trips: dict[str, Trip] = {}
        self._challenges: dict[str, _Challenge] = {}

    def open_session(self, session: BrowserSession) -> str:
        """Sign a browser in and return the value of its cookie, a new one each time."""
        now = session.created_at
        self._sessions = {value: each for value, each in self._sessions.items() if each.is_alive(now)}
        value = secrets.token_urlsafe(32)
        self._sessions[value] = session
        return value

    def find_session(self, cookie: str | None, now: float) -> BrowserSession | None:
        """Return the session that a cookie stands for, if it is still alive."""
        session = self._sessions.get(cookie) if cookie else None
        return session if session is not None and session.is_alive(now) else None

    def close_session(self, cookie: str | None) -> None:
        """Sign a browser out; tokens are not touched."""
        if cookie:
            self._sessions.pop(cookie, None)

    def add_code(self, code: Code, now: float) -> str:
        """Remember what a code stands for and return the code."""
        self._codes = {value: each for value, each in self._codes.items() if now < each.expires_at}
        value = str(uuid.uuid4())
        self._codes[value] = code
        return value

    def find_code(self, value: str, now: float) -> Code | None:
        """Return what a code stands for, unless it was used or is too old."""
        code = self._codes.get(value)
        return code if code is not None and now < code.expires_at and code.user.enabled else None

    def use_code(self, value: str) -> None:
        """Make a code invalid."""
        self._codes.pop(value, None)

    def add_trip(self, trip: Trip, now: float) -> str:
        """Remember a trip to a provider and return the state that stands for it."""
        self._trips = {value: each for value, each in self._trips.items() if each.is_alive(now)}
        value = secrets.token_urlsafe(_STATE_BYTES)
        self._trips[value] = trip
        return value

    def end_trip(self, state: str) -> Trip | None:
        """Return the trip that a state stands for, and forget it; it may have taken too long."""
        return self._trips.pop(state, None)

    def add_challenge(self, user: EmulatedUser | None, purpose: str, now: float) -> str:
        """Remember who is in the middle of a form of several pages; None for somebody who does not exist."""
        self._challenges = {value: each for value, each in self._challenges.items() if now < each.expires_at}
        value = secrets.token_urlsafe(32)
        self._challenges[value] = _Challenge(user, purpose, now + _PROMPT_SECONDS)
        return value

    def find_challenge(self, value: str, purpose: str, now: float) -> EmulatedUser | None:
        """Return who is in the middle of this form, if they are still in time."""
        challenge = self._challenges.get(value)
        in_time = challenge is not None and challenge.purpose == purpose and now < challenge.expires_at
        return challenge.user if challenge is not None and in_time else None

    def add_sign_in(self, sign_in: SignIn, now: float) -> SignIn:
        """Remember a sign-in, whose refresh tokens live from now for as long as the app client says."""
        sign_in.refresh_expires_at = now + sign_in.client.refresh_token_validity
        self._sign_ins[sign_in.origin_jti] = sign_in
        return sign_in

    def find_sign_in(self, origin_jti: object) -> SignIn | None:
        """Return the sign-in that a token's `origin_jti` names."""
        return self._sign_ins.get(origin_jti) if isinstance(origin_jti, str) else None

    def add_refresh_token(self, sign_in: SignIn) -> str:
        """Issue a refresh token that lives for the sign-in's remaining time."""
        value = generate_refresh_token()
        self._refresh_tokens[value] = RefreshToken(sign_in, sign_in.refresh_expires_at)
        return value

    def find_refresh_token(self, value: str) -> RefreshToken | None:
        """Return a refresh token that was once issued, dead or alive."""
        return self._refresh_tokens.get(value)

    def rotate(self, token: RefreshToken, now: float) -> str:
        """Replace a refresh token: it dies when the app client's grace period ends, and that is not prolonged."""
        token.dies_at = min(token.dies_at, now + token.sign_in.client.retry_grace_period)
        return self.add_refresh_token(token.sign_in)

    def revoke_all(self, user: EmulatedUser) -> None:
        """Revoke every sign-in of a person. The browser's session survives, as with GlobalSignOut."""
        for sign_in in self._sign_ins.values():
            if sign_in.user is user:
                sign_in.revoked = True


def proves(code_verifier: str | None, code_challenge: str) -> bool:
    """Tell whether a verifier belongs to a S256 challenge.

    Source: RFC 7636 section 4.6.
    """
    if code_verifier is None:
        return False
    digest = hashlib.sha256(code_verifier.encode()).digest()
    derived = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return hmac.compare_digest(derived, code_challenge.encode())
