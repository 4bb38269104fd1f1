"""Every exception of the library, in one tree.

Decides what can go wrong and who has to act: the class tells a program what to do, the message tells a person what
happened, `explain()` tells what it probably was. Decides nothing about how an error comes about.

```
CognitoOidcError                        the base; never raised itself
├── ConfigurationError (ValueError)     YOU: an argument is wrong; found before any I/O
├── TransportError                      WIRE: no usable HTTP answer
├── ProtocolError                       SERVER: the answer breaks the protocol
├── CallbackError                       the callback cannot be used
│   ├── StateMismatchError              it does not belong to this request
│   └── AuthorizationDeniedError        the server or the person said no
├── OAuthError                          SERVER: the token endpoint (or a sibling) said no
│   ├── InvalidGrantError               send the person to log in again
│   ├── InvalidClientError              fix the credentials
│   └── RateLimitedError                slow down
├── BearerUsageError                    REQUEST: it carries its token as RFC 6750 does not allow; 400
├── TokenVerificationError              TOKEN: must not be trusted; 401
│   ├── MissingTokenError               there is none: log in
│   ├── MalformedTokenError
│   ├── InvalidSignatureError
│   ├── UnknownKeyError
│   └── InvalidClaimError
│       ├── ExpiredTokenError           refresh and try again
│       └── InsufficientScopeError      403
├── KeysUnavailableError                WIRE: keys cannot be had, nothing can be said; 503, never 401
│   └── KeysNotLoadedError              a `*_nowait` call would have had to fetch
├── LoginRequiredError                  a token source has nothing left to refresh with
└── StoreError                          a token store failed; nothing was lost
```

Attributes are strings, numbers, booleans or None: an error never holds a client, a response, a token, a code or a
secret. Text that came from a server is capped and stripped before it gets here (`clean_server_text`). Every error can
be pickled and copied.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Literal

__all__ = [
    "AuthorizationDeniedError",
    "BearerUsageError",
    "CallbackError",
    "CognitoOidcError",
    "ConfigurationError",
    "ExpiredTokenError",
    "InsufficientScopeError",
    "InvalidClaimError",
    "InvalidClientError",
    "InvalidGrantError",
    "InvalidSignatureError",
    "KeysNotLoadedError",
    "KeysUnavailableError",
    "LoginRequiredError",
    "MalformedTokenError",
    "MissingTokenError",
    "OAuthError",
    "ProtocolError",
    "RateLimitedError",
    "StateMismatchError",
    "StoreError",
    "TokenVerificationError",
    "TransportError",
    "UnknownKeyError",
]

_MAX_SERVER_TEXT = 200
_MAX_ERROR_CODE = 60
_LONG_NUMBER = 1e15
# Patterns are compiled at their first use, by re's own cache: this module is on the verification path.
# Codes, tokens, verifiers and client secrets are long runs of these characters (a generated secret has 52, a code 36).
# A server that quotes one back must not get it into a log through us.
_SECRET_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=-"
# A token begins with the base64url of `{"`, and its parts may be short.
_LOOKS_SECRET = r"eyJ[A-Za-z0-9_+=.-]*|[A-Za-z0-9_+=-]{24,}"
# Error codes are such runs too, but of short words (`account_selection_required` has 26 characters); no secret is.
_ERROR_CODE = r"[a-z]{1,16}(?:_[a-z]{1,16}){0,4}"
# RFC 6750 section 3: the characters of error_description and scope in the WWW-Authenticate header.
_NOT_QUOTABLE = r'[^\x20-\x7e]|["\\]'
_MAX_DESCRIPTION = 200  # a header that grows with the configuration would be cut, or refused, by what stands in between
_UNAVAILABLE = 503


def clean_server_text(text: object, *, limit: int = _MAX_SERVER_TEXT) -> str | None:
    """Return text of a server fit for a message or a log, or None where there was no text.

    What cannot be printed (control characters, line breaks, marks that reverse the direction of writing) becomes a
    space, runs that look like a credential become `[removed]`, and what is longer than `limit` characters is cut.
    """
    if not isinstance(text, str):
        return None
    enough = text[: limit * 4]
    if len(text) > len(enough):
        enough = enough.rstrip(_SECRET_ALPHABET)  # half a credential does not look like one any more
    printable = " ".join("".join(one if one.isprintable() else " " for one in enough).split())
    cleaned = re.sub(_LOOKS_SECRET, "[removed]", printable)
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def clean_error_code(code: object) -> str | None:
    """Return the OAuth error code a server sent, such as `"invalid_grant"`, or None where it sent none.

    What is no such word is treated like any text of a server.
    """
    if isinstance(code, str) and re.fullmatch(_ERROR_CODE, code):
        return code
    return clean_server_text(code, limit=_MAX_ERROR_CODE) or None


def shown(value: object, *, limit: int = 100) -> str:
    """Show a value of the caller's or of a server's in a message: a string quoted and capped, the rest by its type."""
    if isinstance(value, str):
        return repr(value if len(value) <= limit else value[: limit - 1] + "…")
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


def shown_number(value: object) -> str:
    """Show what should have been a number: as it is where it is one of a few digits, else as `shown`."""
    short = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LONG_NUMBER
    return repr(value) if short else shown(value)


def _restore(cls: type[CognitoOidcError], args: tuple[str, ...], state: dict[str, object]) -> CognitoOidcError:
    """Rebuild a pickled error without its constructor, whose keyword arguments pickle does not know."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class CognitoOidcError(Exception):
    """The base of every error of this library; catch it to catch them all. It is never raised itself.

    Attributes:
        code: A stable, lower-case string for programs and metrics, such as `"expired_token"`.
        http_status: What an API or a web application would answer its own caller with: 400, 401, 403, 500, 502 or 503.
        retryable: Whether the same call may succeed later without anybody changing anything.
        retry_after: Seconds to wait before that, where known.
    """

    code: str = "error"
    http_status: int = 500
    retryable: bool = False
    retry_after: float | None = None
    _explanation: ClassVar[tuple[str, ...]] = ()
    _causes: tuple[str, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        causes: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        """Keep `message` as the text; `code`, `causes` and `retry_after` replace what the class says."""
        super().__init__(message)
        if code is not None:
            self.code = code
        if retry_after is not None:
            self.retry_after = retry_after
        if causes:
            self._causes = causes

    def __reduce__(self) -> tuple[object, ...]:
        """Support pickle and copy."""
        return _restore, (type(self), self.args, dict(self.__dict__))

    def explain(self) -> tuple[str, ...]:
        """Return the likely causes, likeliest first, as whole sentences that are safe to log and to show."""
        return self._causes or self._explanation

    def www_authenticate(self) -> str | None:
        """Return the value of a `WWW-Authenticate` header for this error, or None where none belongs.

        Source: RFC 6750 section 3.
        """
        return None

    def response_headers(self) -> dict[str, str]:
        """Return the headers that belong to an answer of `http_status`, for an API that answers its own caller.

        They are `WWW-Authenticate` where the caller has to bring another token, and `Retry-After`, in whole seconds,
        where it has to wait: with every 503, and wherever the wait is known.

        Source: RFC 9110 sections 10.2.3, 11.6.1.
        """
        headers = {}
        challenge = self.www_authenticate()
        if challenge is not None:
            headers["WWW-Authenticate"] = challenge
        if self.retry_after is not None or self.http_status == _UNAVAILABLE:
            headers["Retry-After"] = str(max(1, -int(-(self.retry_after or 0) // 1)))  # rounded up, without math
        return headers


class ConfigurationError(CognitoOidcError, ValueError):
    """An argument cannot be right, or one is missing. Found before anything is sent."""

    code = "configuration"


class TransportError(CognitoOidcError):
    """No usable HTTP answer came back.

    Attributes:
        sent: Whether the request reached the server: `"no"`, `"maybe"` or `"yes"`.
        endpoint: Which endpoint was called, such as `"token"`.
        status: The HTTP status, where there was an answer, or None.

    It is `retryable` where nothing was sent, or sending it twice does no harm: never a code or a refresh token that may
    have arrived, and never after a firewall's 403.
    """

    code = "transport"
    http_status = 503
    retryable: bool = True

    def __init__(
        self,
        message: str,
        *,
        sent: Literal["no", "maybe", "yes"],
        endpoint: str,
        status: int | None = None,
        code: str | None = None,
        causes: tuple[str, ...] = (),
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        """Keep what is known about the failed exchange."""
        super().__init__(message, code=code, causes=causes, retry_after=retry_after)
        if retryable is not None:
            self.retryable = retryable
        self.sent = sent
        self.endpoint = endpoint
        self.status = status


class ProtocolError(CognitoOidcError):
    """The server answered with something the protocol does not allow; the answer was not used."""

    code = "protocol"
    http_status = 502
    _explanation: ClassVar[tuple[str, ...]] = (
        "The address does not belong to the endpoint it was used for: compare domain, endpoint_url and metadata with the user pool.",  # noqa: E501
        "Something between this program and Cognito (a proxy, a gateway, a captive portal) changed the answer.",
    )


class CallbackError(CognitoOidcError):
    """The callback cannot be used.

    Attributes:
        reason: A stable string that says why, such as `"missing_code"`, `"duplicate_parameter"` or `"request_expired"`.
    """

    code = "callback"
    http_status = 400
    _explanation: ClassVar[tuple[str, ...]] = (
        "The callback did not come from Cognito, or something on its way (a proxy, a middleware) changed it.",
        "The program passes something else than the URL or the query that the browser came back with.",
    )

    def __init__(self, message: str, *, reason: str, code: str | None = None, causes: tuple[str, ...] = ()) -> None:
        """Keep the stable reason."""
        super().__init__(message, code=code, causes=causes)
        self.reason = reason


class StateMismatchError(CallbackError):
    """The callback does not belong to this authorization request. Nothing in it may be used.

    Source: RFC 6749 section 10.12; RFC 9700 section 4.7.
    """

    code = "state_mismatch"
    _explanation: ClassVar[tuple[str, ...]] = (
        "The person started to log in in another tab, so the stored request is not the one that this callback answers: keep one stored request per state and find it with peek_state().",  # noqa: E501
        "The stored request was lost or replaced between the redirect and the callback (another session, another worker, an old bookmark).",  # noqa: E501
        "Somebody tries to log the person in to a foreign account (login CSRF). Refusing is right.",
    )


class AuthorizationDeniedError(CallbackError):
    """Cognito, the identity provider or the person said no.

    Attributes:
        error: The OAuth error code of the callback, such as `"access_denied"` or `"login_required"`.
        description: The server's `error_description`, capped and cleaned, or None. Never match on its words.

    Source: RFC 6749 section 4.1.2.1; OpenID Connect Core 1.0 section 3.1.2.6.
    """

    code = "authorization_denied"
    _explanation: ClassVar[tuple[str, ...]] = (
        "Cognito or the identity provider refused for a reason of its own: error and description say which.",
    )

    def __init__(self, message: str, *, error: str, description: str | None, causes: tuple[str, ...] = ()) -> None:
        """Keep what the server said."""
        super().__init__(message, reason="denied", causes=causes)
        self.error = error
        self.description = description


class OAuthError(CognitoOidcError):
    """The token endpoint, or one of its siblings, refused the request with an OAuth error body.

    Attributes:
        error: The OAuth error code, such as `"invalid_request"`.
        description: The server's `error_description`, capped and cleaned, or None. Never match on its words.
        status: The HTTP status of the answer. Cognito's statuses vary: branch on `error`.
        request_id: The `x-amz-cognito-request-id` of the answer, for AWS support, or None.

    Source: RFC 6749 section 5.2.
    """

    code = "oauth"
    http_status = 502

    def __init__(
        self,
        message: str,
        *,
        error: str,
        description: str | None = None,
        status: int,
        request_id: str | None = None,
        code: str | None = None,
        causes: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        """Keep what the server said."""
        super().__init__(message, code=code, causes=causes, retry_after=retry_after)
        self.error = error
        self.description = description
        self.status = status
        self.request_id = request_id


class InvalidGrantError(OAuthError):
    """The code or the refresh token is not (or no longer) good: send the person to log in again."""

    code = "invalid_grant"
    http_status = 401


class InvalidClientError(OAuthError):
    """The app client did not authenticate: fix the client id, the secret or the method."""

    code = "invalid_client"
    http_status = 500


class RateLimitedError(OAuthError):
    """The quota of the account and Region, or of the user, is used up; see `retry_after`."""

    code = "rate_limited"
    http_status = 503
    retryable = True
    _explanation: ClassVar[tuple[str, ...]] = (
        "The account's requests per second for this category of Cognito operations are used up: look at Service Quotas.",  # noqa: E501
        "Tokens are requested anew where they could be kept: machine tokens are good until shortly before expires_at.",
    )


def _bearer_challenge(error: str, description: str) -> str:
    """Return the challenge of RFC 6750 section 3, one line that nothing in the description can break."""
    short = description if len(description) <= _MAX_DESCRIPTION else f"{description[: _MAX_DESCRIPTION - 3]}..."
    return f'Bearer error="{error}", error_description="{re.sub(_NOT_QUOTABLE, "?", short)}"'


class BearerUsageError(CognitoOidcError):
    """A request carries its token in a way that RFC 6750 does not allow, so that nobody can say which one counts.

    Source: RFC 6750 section 3.1, `invalid_request`.
    """

    code = "invalid_request"
    http_status = 400
    _explanation: ClassVar[tuple[str, ...]] = (
        "A proxy or a middleware adds an Authorization header of its own to the one that the caller sent.",
        "Somebody tries to have one part of the system judge another token than the other part. Refusing is right.",
    )

    def www_authenticate(self) -> str | None:
        """Return `Bearer error="invalid_request", error_description="..."`."""
        return _bearer_challenge("invalid_request", str(self))


class TokenVerificationError(CognitoOidcError):
    """The token must not be trusted: answer 401."""

    code = "invalid_token"
    http_status = 401
    _bearer_error: ClassVar[str] = "invalid_token"

    def www_authenticate(self) -> str | None:
        """Return `Bearer error="invalid_token", error_description="..."`, the description for whoever sent the token.

        It says what is wrong with the token. What would have been accepted, such as the app clients that may call,
        is in the message alone, for the log.
        """
        return _bearer_challenge(self._bearer_error, self._description_for_callers())

    def _description_for_callers(self) -> str:
        return str(self)


class MissingTokenError(TokenVerificationError):
    """The request brings no bearer token: no `Authorization` header, or one of another scheme.

    Source: RFC 6750 section 3.1: "the resource server SHOULD NOT include an error code".
    """

    code = "missing_token"
    _explanation: ClassVar[tuple[str, ...]] = (
        "The caller sends no Authorization header, or a proxy removed it.",
        "The header has another scheme than Bearer.",
    )

    def www_authenticate(self) -> str | None:
        """Return a challenge without an error code; RFC 6750 wants some parameter in it, and realm says nothing."""
        return 'Bearer realm="api"'


class MalformedTokenError(TokenVerificationError):
    """The text is no JSON Web Token that this verifier would look at: form, encoding, header or size.

    Source: RFC 7515 section 5.2; RFC 8725 section 3.
    """

    code = "malformed_token"
    _explanation: ClassVar[tuple[str, ...]] = (
        "Something else was passed: a refresh token, the whole Authorization header with the word Bearer, or an opaque token.",  # noqa: E501
        "The token was cut off or changed while it was copied.",
    )
    if not TYPE_CHECKING:
        __init__ = Exception.__init__  # a text is all it ever has, and garbage must cost next to nothing


class InvalidSignatureError(TokenVerificationError):
    """The signature is not that of the key the token names."""

    code = "invalid_signature"
    _explanation: ClassVar[tuple[str, ...]] = (
        "The token was changed after it was signed, or cut off while it was copied.",
        "Somebody forged it.",
    )


class UnknownKeyError(TokenVerificationError):
    """The token names a key (`kid`) that is not in the pool's key set.

    Attributes:
        looked_up: True when the key set was fetched for this kid and does not have it (401); False when it could not
            be looked for now (503, `retryable`, see `retry_after`).
    """

    code = "unknown_key"
    _explanation: ClassVar[tuple[str, ...]] = (
        "The token is from another user pool or another issuer.",
        "The key was withdrawn since the token was issued.",
        "Somebody forged the token.",
    )

    def __init__(self, message: str, *, looked_up: bool, retry_after: float | None = None) -> None:
        """Say whether anybody looked."""
        super().__init__(message, retry_after=retry_after)
        self.looked_up = looked_up
        if not looked_up:
            self.http_status = 503
            self.retryable = True

    def www_authenticate(self) -> str | None:
        """Return the header for 401; None while the key could not be looked for, since nothing is known then."""
        return super().www_authenticate() if self.looked_up else None


class InvalidClaimError(TokenVerificationError):
    """A claim is missing, has the wrong type, or is not what this verifier accepts.

    Attributes:
        claim: The name of the claim.
        expected: What would have been accepted, as text.
        actual: What the token holds, as text, capped; None where the claim is missing or must not be shown.
        signature_checked: False when the claim was judged before the signature could be.
    """

    code = "invalid_claim"

    def __init__(
        self,
        message: str,
        *,
        claim: str,
        expected: str,
        actual: str | None = None,
        signature_checked: bool = True,
        causes: tuple[str, ...] = (),
    ) -> None:
        """Keep the three things a person wants to know."""
        super().__init__(message, causes=causes)
        self.claim = claim
        self.expected = expected
        self.actual = actual
        self.signature_checked = signature_checked

    def _description_for_callers(self) -> str:
        return f"The token's {self.claim} is not accepted here."


class ExpiredTokenError(InvalidClaimError):
    """The token was good once: refresh and try again."""

    code = "expired_token"
    _explanation: ClassVar[tuple[str, ...]] = (
        "The token is older than its lifetime (60 minutes unless the app client says otherwise): refresh it.",
        "The clock of this machine is ahead: compare it with a time server before you raise leeway.",
    )

    def _description_for_callers(self) -> str:
        return str(self)


class InsufficientScopeError(InvalidClaimError):
    """The token is good, but does not carry a scope or group that this call needs: answer 403, not 401.

    Source: RFC 6750 section 3.1.
    """

    code = "insufficient_scope"
    http_status = 403
    _explanation: ClassVar[tuple[str, ...]] = (
        "The scope was not asked for when the person or the machine got this token, or the app client may not have it.",
        "The person is not in the group, or was added to it after this token was issued: refresh it.",
    )
    _bearer_error = "insufficient_scope"

    def _description_for_callers(self) -> str:
        return str(self)

    def www_authenticate(self) -> str | None:
        """Return the header of RFC 6750, with a `scope` member where scopes were asked for."""
        header = super().www_authenticate()
        return f'{header}, scope="{re.sub(_NOT_QUOTABLE, "?", self.expected)}"' if self.claim == "scope" else header


class KeysUnavailableError(CognitoOidcError):
    """The pool's keys cannot be had now, so nothing can be said about the token: answer 503, never 401."""

    code = "keys_unavailable"
    http_status = 503
    retryable = True
    _explanation: ClassVar[tuple[str, ...]] = (
        "The key endpoint of the issuer cannot be reached from here: check egress, proxy and DNS.",
        "The pool id or the Region is wrong, so that there is no key set at that address.",
    )


class KeysNotLoadedError(KeysUnavailableError):
    """A call that must not do I/O would have had to fetch keys: call `preload()` first, or pass `jwks=`."""

    code = "keys_not_loaded"
    _explanation: ClassVar[tuple[str, ...]] = (
        "Nothing loaded the keys yet: await verifier.preload() at start, or pass jwks=.",
    )


class LoginRequiredError(CognitoOidcError):
    """A token source has nothing left to refresh with: send the person to log in."""

    code = "login_required"
    http_status = 401
    _explanation: ClassVar[tuple[str, ...]] = (
        "Nobody has signed in yet, or whoever had signed in has signed out, maybe at another worker.",
        "The refresh token reached the end of its life (30 days unless the app client says otherwise) or was revoked.",
        "Refresh token rotation is on, and the same refresh token was used in two places that share no token store.",
    )


class StoreError(CognitoOidcError):
    """A token store failed. What it held before is still there.

    It is `retryable` unless somebody has to do something first: a damaged record, a key that is missing.
    """

    code = "store"
    http_status = 503
    retryable: bool = True
    _explanation: ClassVar[tuple[str, ...]] = (
        "The store cannot be reached, or takes too long: look at its own health.",
        "Another worker holds the lock of this session for long: its own calls to Cognito are slow.",
    )

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        causes: tuple[str, ...] = (),
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        """Keep whether the same call may succeed later."""
        super().__init__(message, code=code, causes=causes, retry_after=retry_after)
        if retryable is not None:
            self.retryable = retryable
