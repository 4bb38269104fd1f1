"""May this token be trusted, given that its signature is good?

Decides which claims an access token and an ID token of a Cognito user pool must have. Decides nothing about
signatures (`jws`), keys (`jwks`) or how claims look to a caller (`typed_claims`). Claims that a pre-token-generation
Lambda cannot change are strict: of one type, never null.

This module is on the verification path: it imports nothing that is slow to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, cast

from cognito_oidc._frozen import Record
from cognito_oidc.errors import ExpiredTokenError, InsufficientScopeError, InvalidClaimError, MalformedTokenError, shown
from cognito_oidc.protocol.encoding import MAX_DEPTH
from cognito_oidc.protocol.typed_claims import C, TokenClaims, freeze, maker_of, scopes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cognito_oidc.protocol.typed_claims import AccessTokenClaims, IdTokenClaims

MAX_LIFETIME: Final = 24 * 3600
"""Seconds an access or ID token may live. Source: AWS, API reference CreateUserPoolClient, AccessTokenValidity."""

MAX_AHEAD: Final = 60
"""Seconds `iat` and `nbf` may lie ahead of our clock: clocks differ. Ours; Cognito documents none."""

_MAX_TIME: Final = 10**16
_NUMBERS: Final = (int, float)

# The one type of each protected claim. Source: AWS, "Pre token generation Lambda trigger", claims that cannot be
# changed; shapes from "Understanding the access token" and "Understanding the identity (ID) token".
_COMMON_TYPES: Final[dict[str, type]] = {
    "iss": str,
    "sub": str,
    "token_use": str,
    "exp": int,
    "iat": int,
    "nbf": int,
    "auth_time": int,
    "jti": str,
    "origin_jti": str,
    "event_id": str,
    "aud": str,
    "azp": str,
    "acr": str,
    "amr": list,
    "cognito:groups": list,
}
_ACCESS_TYPES: Final = {
    **_COMMON_TYPES,
    "client_id": str,
    "scope": str,
    "username": str,
    "version": int,
    "device_key": str,
}
_ID_TYPES: Final = {
    **_COMMON_TYPES,
    "cognito:username": str,
    "cognito:roles": list,
    "cognito:preferred_role": str,
    "nonce": str,
    "at_hash": str,
    "identities": list,
}
_REQUIRED: Final = ("iss", "sub", "token_use", "exp", "iat")
_TIMES: Final = ("exp", "iat", "nbf", "auth_time")
_JSON_TYPES: Final = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}
_LOOKED_INTO: Final = (list, dict, float)
_MAX_SHAPES: Final = 64
_STRING_ARRAYS: Final = frozenset({"amr", "cognito:groups", "cognito:roles"})


# Tokens of one app client have the same claims of the same types: what follows from these alone is remembered, by the
# names of the claims and then their types: the names of those that are to be looked into. The memory is bounded, and a
# shape that is refused, or that nobody signed, does not enter it.
_Shape = tuple[object, ...]
_ACCESS_SHAPES: Final[dict[_Shape, tuple[str, ...]]] = {}
_ID_SHAPES: Final[dict[_Shape, tuple[str, ...]]] = {}


class Requirements(Record):
    """What a resource server asks of an access token beyond that it is good. Empty means: nothing.

    Attributes:
        all_scopes: Scopes that must all be there.
        any_scope: Scopes of which one must be there.
        all_groups: Groups that must all be there.
        any_group: Groups of which one must be there.
        resource: The resource server the token must be bound to (`aud`); None refuses tokens bound to any.
    """

    all_scopes: tuple[str, ...] = ()
    any_scope: tuple[str, ...] = ()
    all_groups: tuple[str, ...] = ()
    any_group: tuple[str, ...] = ()
    resource: str | None = None


NO_REQUIREMENTS: Final = Requirements()


class IdExpectations(Record):
    """What a relying party knows about an ID token. None leaves a check out.

    Attributes:
        nonce: The nonce of the authorization request.
        access_token: The access token that came along, for `at_hash`.
        max_age: Seconds the sign-in may be ago.
    """

    nonce: str | None = None
    access_token: str | None = None
    max_age: float | None = None


class TokenRules(Generic[C]):
    """What is asked of every token of one kind that a verifier judges.

    Attributes:
        claims_type: What the claims are returned as.
        make: Makes them; see `maker_of`.
        client_ids: The app clients that are accepted; None accepts every one of the pool.
        leeway: Seconds by which `exp` may have passed.
    """

    __slots__ = ("claims_type", "client_ids", "leeway", "make")

    claims_type: type[C]
    make: Callable[[type[C], dict[str, object]], C]
    client_ids: frozenset[str] | None
    leeway: float

    def __init__(self, claims_type: type[C], *, client_ids: frozenset[str] | None, leeway: float) -> None:
        """Keep what a verifier was made with."""
        self.claims_type = claims_type
        self.make = maker_of(claims_type)
        self.client_ids = client_ids
        self.leeway = leeway


def check_access_token(
    payload: dict[str, object],
    now: float,
    wanted: Requirements,
    rules: TokenRules[AccessTokenClaims],
    signed: bool = True,  # noqa: FBT001, FBT002 - by position, on the hot path
) -> AccessTokenClaims:
    """Return the claims of an access token whose issuer the caller has already matched to a key set.

    Args:
        payload: The decoded payload; taken over and made read-only.
        now: Epoch seconds UTC.
        wanted: What is asked of this token.
        rules: What is asked of every token.
        signed: Whether the signature was checked. If not, nothing is said about scopes and groups, and nothing of the
            token is remembered.

    Raises:
        InvalidClaimError: A claim is missing, of the wrong type or not acceptable.
        ExpiredTokenError: The token was good once.
        InsufficientScopeError: A scope or group that is wanted is not there.

    Source: AWS, "Verifying JSON web tokens"; RFC 9068 section 4 where Cognito is silent.
    """
    shape = (*payload, *map(type, payload.values()))
    nested = _ACCESS_SHAPES.get(shape)
    if nested is None:
        nested = _check_shape(payload, _ACCESS_TYPES)
        if signed:
            _learn(_ACCESS_SHAPES, shape, nested)
    if payload["token_use"] != "access":
        raise _wrong_kind(payload, "access")
    client_ids = rules.client_ids
    client_id = payload.get("client_id")
    if not client_id or (client_ids is not None and client_id not in client_ids):
        raise _mismatch("client_id", client_ids, client_id)
    if "aud" in payload or wanted.resource is not None:
        _check_resource(payload, wanted.resource)
    check_times(payload, now, rules.leeway)
    if nested or not payload["sub"]:
        _check_contents(payload, nested)
    claims = rules.make(rules.claims_type, payload)
    if signed and wanted is not NO_REQUIREMENTS:
        check_requirements(claims, wanted)
    return claims


def check_id_token(
    payload: dict[str, object],
    now: float,
    expected: IdExpectations,
    rules: TokenRules[IdTokenClaims],
    signed: bool = True,  # noqa: FBT001, FBT002
) -> IdTokenClaims:
    """Return the claims of an ID token whose issuer the caller has already matched to a key set.

    Args:
        payload: The decoded payload; taken over and made read-only.
        now: Epoch seconds UTC.
        expected: What is asked of this token.
        rules: What is asked of every token; `max_age` may have passed by its `leeway` too.
        signed: Whether the signature was checked; of a token nobody signed nothing is remembered.

    Raises:
        InvalidClaimError: A claim is missing, of the wrong type or not acceptable.
        ExpiredTokenError: The token was good once.

    Source: OpenID Connect Core 1.0 section 3.1.3.7; AWS, "Verifying JSON web tokens".
    """
    shape = (*payload, *map(type, payload.values()))
    nested = _ID_SHAPES.get(shape)
    if nested is None:
        nested = _check_shape(payload, _ID_TYPES)
        if signed:
            _learn(_ID_SHAPES, shape, nested)
    if payload["token_use"] != "id":
        raise _wrong_kind(payload, "id")
    client_ids = rules.client_ids
    aud = payload.get("aud")
    if not aud or (client_ids is not None and aud not in client_ids):
        raise _mismatch("aud", client_ids, aud)
    check_times(payload, now, rules.leeway)
    _check_contents(payload, nested)
    if expected.nonce is not None:
        _check_nonce(payload.get("nonce"), expected.nonce)
    if expected.max_age is not None:
        _check_max_age(payload.get("auth_time"), now, expected.max_age + rules.leeway)
    if expected.access_token is not None and "at_hash" in payload:
        _check_at_hash(payload["at_hash"], expected.access_token)
    return rules.make(rules.claims_type, payload)


def check_again(
    claims: AccessTokenClaims, now: float, wanted: Requirements, rules: TokenRules[AccessTokenClaims]
) -> None:
    """Check what may have changed since these claims were verified: the time, and what is asked of them.

    Raises:
        InvalidClaimError: As `check_access_token` and `check_requirements`.
    """
    payload = claims.raw
    check_times(payload, now, rules.leeway)
    if wanted.resource is not None or "aud" in payload:
        _check_resource(payload, wanted.resource)
    if wanted is not NO_REQUIREMENTS:
        check_requirements(claims, wanted)


def check_requirements(claims: TokenClaims, wanted: Requirements) -> None:
    """Check scopes and groups.

    Raises:
        InsufficientScopeError: One that is needed is not there; `claim` is `scope` or `cognito:groups`.

    Source: RFC 6750 section 3.1.
    """
    if wanted.all_scopes or wanted.any_scope:
        _check_members("scope", scopes_of(claims.raw), wanted.all_scopes, wanted.any_scope)
    if wanted.all_groups or wanted.any_group:
        _check_members("cognito:groups", claims.groups, wanted.all_groups, wanted.any_group)


def _check_members(claim: str, held: Sequence[str], every: tuple[str, ...], some: tuple[str, ...]) -> None:
    for one in every:
        if one not in held:
            raise _insufficient(claim, held, f"lacks {', '.join(one for one in every if one not in held)}", every)
    for one in some:
        if one in held:
            return
    if some:
        raise _insufficient(claim, held, f"has none of {', '.join(some)}", some)


def _insufficient(claim: str, held: Sequence[str], problem: str, wanted: tuple[str, ...]) -> InsufficientScopeError:
    what = "scopes" if claim == "scope" else "groups"
    msg = f"The token {problem} among its {what}."
    return InsufficientScopeError(msg, claim=claim, expected=" ".join(wanted), actual=shown(" ".join(held)))


def _learn(shapes: dict[_Shape, tuple[str, ...]], shape: _Shape, nested: tuple[str, ...]) -> None:
    if len(shapes) >= _MAX_SHAPES:
        shapes.clear()
    shapes[shape] = nested


def _check_shape(payload: dict[str, object], types: dict[str, type]) -> tuple[str, ...]:
    """Check that every required claim is there and every protected one of its type; return the names of nested ones."""
    kinds = {name: type(value) for name, value in payload.items()}
    for name, kind in kinds.items():
        wanted = types.get(name, kind)
        if kind is not wanted and not (kind is float and name in _TIMES):
            expected, actual = _JSON_TYPES[wanted], _JSON_TYPES[kind]
            msg = f"The token's {name} is {actual}, expected {expected}."
            raise InvalidClaimError(msg, claim=name, expected=expected, actual=actual)
    missing = next((name for name in _REQUIRED if name not in kinds), None)
    if missing is not None:
        expected = _JSON_TYPES[types[missing]]
        msg = f"The token has no {missing}, expected {expected}."
        raise InvalidClaimError(msg, claim=missing, expected=expected)
    return tuple(name for name, kind in kinds.items() if kind in _LOOKED_INTO and name not in _TIMES)


def _check_contents(payload: dict[str, object], nested: tuple[str, ...]) -> None:
    """Check that sub is not empty, and the contents of nested claims, which become read-only."""
    if not payload["sub"]:
        msg = "The token's sub is empty."
        raise InvalidClaimError(msg, claim="sub", expected="a string that is not empty", actual="''")
    for name in nested:
        value = payload[name]
        try:
            if name in _STRING_ARRAYS and type(value) is list:
                "".join(value)  # a TypeError where a member is no string
                payload[name] = tuple(value)
            else:
                payload[name] = freeze(value, levels=MAX_DEPTH - 1)
        except TypeError:
            msg = f"The token's {name} holds something that is no string."
            raise InvalidClaimError(msg, claim=name, expected="an array of strings", actual="other members") from None
        except ValueError as error:
            msg = f"The token's {name} {error}."
            raise MalformedTokenError(msg) from None


def check_times(payload: Mapping[str, object], now: float, leeway: float) -> None:
    """Check the times of a payload whose shape was checked.

    The one comparison holds for nearly every token; the rest finds out what is wrong.

    Raises:
        InvalidClaimError: A time is out of bounds.
        ExpiredTokenError: The token was good once.
    """
    exp: float = payload["exp"]  # type: ignore[assignment]  # a number: its shape was checked
    iat: float = payload["iat"]  # type: ignore[assignment]
    auth_time: float = payload.get("auth_time", 0)  # type: ignore[assignment]
    if (
        now - leeway < exp < _MAX_TIME
        and -_MAX_TIME < iat <= now + MAX_AHEAD
        and exp - iat <= MAX_LIFETIME
        and -_MAX_TIME < auth_time < _MAX_TIME
        and "nbf" not in payload
    ):
        return
    for claim in _TIMES:
        if not -_MAX_TIME < cast("float", payload.get(claim, 0)) < _MAX_TIME:
            msg = f"The token's {claim} is no time: it has more than 16 digits."
            raise InvalidClaimError(msg, claim=claim, expected="epoch seconds of at most 16 digits")
    if now - leeway >= exp:
        msg = f"The token expired {now - exp:.0f} s ago."
        raise ExpiredTokenError(msg, claim="exp", expected=f"after {now - leeway:.0f}", actual=f"{exp:.0f}")
    for claim in ("iat", "nbf"):
        if (value := cast("float", payload.get(claim, iat))) > now + MAX_AHEAD:
            raise _too_early(claim, value, now)
    if exp - iat > MAX_LIFETIME:
        msg = f"The token lives {exp - iat:.0f} s, longer than Cognito lets one live ({MAX_LIFETIME} s)."
        raise InvalidClaimError(msg, claim="exp", expected=f"at most {iat + MAX_LIFETIME:.0f}", actual=f"{exp:.0f}")


def valid_between(payload: Mapping[str, object], leeway: float) -> tuple[float, float]:
    """Return from when until before when `check_times` has nothing against a payload that it let pass."""
    begins: float = payload["iat"]  # type: ignore[assignment]  # a number: its shape was checked
    ends: float = payload["exp"]  # type: ignore[assignment]
    return max(begins, cast("float", payload.get("nbf", begins))) - MAX_AHEAD, ends + leeway


def _check_resource(payload: Mapping[str, object], resource: str | None) -> None:
    """Check `aud`: a resource server's, or none; one that equals the client id, added by a Lambda, binds nothing."""
    aud = payload.get("aud")
    if (aud if aud != payload["client_id"] else None) != resource:
        raise _wrong_resource(aud, resource)


def _too_early(claim: str, value: float, now: float) -> InvalidClaimError:
    msg = f"The token's {claim} lies {value - now:.0f} s ahead; more than {MAX_AHEAD} s is no difference of clocks."
    return InvalidClaimError(
        msg,
        claim=claim,
        expected=f"at most {now + MAX_AHEAD:.0f}",
        actual=f"{value:.0f}",
        causes=("The clock of this machine is behind: compare it with a time server.",),
    )


def _wrong_kind(payload: dict[str, object], wanted: str) -> InvalidClaimError:
    actual = shown(payload.get("token_use"))
    causes = {
        "access": ("An ID token was sent where the access token belongs: APIs take the access token.",),
        "id": ("An access token was given where the ID token belongs.",),
    }
    msg = f"The token's token_use is {actual}, expected {wanted!r}."
    return InvalidClaimError(msg, claim="token_use", expected=wanted, actual=actual, causes=causes[wanted])


def _mismatch(claim: str, accepted: frozenset[str] | None, actual: object) -> InvalidClaimError:
    expected = "an app client" if accepted is None else f"one of {', '.join(sorted(accepted))}"
    msg = f"The token's {claim} is {shown(actual)}, expected {expected}."
    return InvalidClaimError(
        msg,
        claim=claim,
        expected=expected,
        actual=None if actual is None else shown(actual),
        causes=("The token was issued to another app client of the pool: add that client's id if it may call here.",),
    )


def _wrong_resource(aud: object, resource: str | None) -> InvalidClaimError:
    expected = "no aud: this verifier has no resource=" if resource is None else repr(resource)
    msg = f"The token's aud is {shown(aud)}, expected {expected}."
    return InvalidClaimError(
        msg,
        claim="aud",
        expected=expected,
        actual=shown(aud),
        causes=(
            "The login asked for resource=, so the token is for that resource server only: pass the same resource= here."  # noqa: E501
            if resource is None
            else "The login did not ask for this resource, so the token is not bound to it.",
        ),
    )


def _check_nonce(actual: object, expected: str) -> None:
    from hmac import compare_digest  # noqa: PLC0415 - 3 ms that an access token does not need

    if not isinstance(actual, str) or not compare_digest(actual.encode(), expected.encode("utf-8", "surrogatepass")):
        found = "none" if actual is None else "another one"
        msg = f"The ID token's nonce is not that of the request: it has {found}."
        raise InvalidClaimError(
            msg,
            claim="nonce",
            expected="the nonce of the request",
            causes=(
                "The stored request is not the one that this callback answers (another tab, another session).",
                (
                    "The request was sent without a nonce: on the first login through an external provider Cognito "
                    "then puts a random nonce of its own into the token. Always send one."
                ),
                "Somebody replays an ID token of another login.",
            ),
        )


def _check_max_age(auth_time: object, now: float, allowed: float) -> None:
    if not isinstance(auth_time, _NUMBERS) or not now - auth_time <= allowed:  # so that NaN allows nothing
        found = "is missing" if auth_time is None else f"is {now - auth_time:.0f} s ago"  # type: ignore[operator]
        msg = f"The sign-in (auth_time) {found}, expected at most {allowed:.0f} s."
        raise InvalidClaimError(
            msg,
            claim="auth_time",
            expected=f"at least {now - allowed:.0f}",
            actual=None if auth_time is None else f"{auth_time:.0f}",
        )


def _check_at_hash(at_hash: object, access_token: str) -> None:
    from base64 import urlsafe_b64encode  # noqa: PLC0415 - an access token does not need them
    from hashlib import sha256  # noqa: PLC0415
    from hmac import compare_digest  # noqa: PLC0415

    half = sha256(access_token.encode("utf-8", "surrogatepass")).digest()[:16]
    if not compare_digest(str(at_hash).encode(), urlsafe_b64encode(half).rstrip(b"=")):
        msg = "The ID token's at_hash is not that of the access token that came with it."
        raise InvalidClaimError(
            msg,
            claim="at_hash",
            expected="the hash of the access token",
            causes=("The two tokens are from different logins.", "Somebody replaced one of them."),
        )
