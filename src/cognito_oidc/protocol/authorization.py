"""The front channel, outward: the authorization request.

Decides what the browser is sent away with. Decides nothing about what comes back; that is `callback`'s. Everything
that must be random comes from the caller's `random_bytes`, every time from the caller's `now`.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final, Self, cast
from urllib.parse import quote, urlencode, urlsplit

from cognito_oidc.errors import CallbackError, ConfigurationError, shown
from cognito_oidc.protocol.client_authentication import check_client_id
from cognito_oidc.protocol.encoding import MAX_DEPTH, load_object
from cognito_oidc.protocol.pkce import derive_code_challenge, generate_code_verifier, generate_opaque_text
from cognito_oidc.protocol.sealing import seal, unseal
from cognito_oidc.protocol.wire import is_loopback, without_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import UnionType

# RFC 6749 section 3.3.
_SCOPE_TOKEN: Final = r"[\x21\x23-\x5b\x5d-\x7e]+"
_MAX_SCOPES: Final = 50  # M: AllowedOAuthScopes of an app client
_SCRIPTS_AND_FILES: Final = frozenset({"about", "blob", "data", "file", "javascript", "vbscript"})
_MAX_URI: Final = 1024  # M: CallbackURLs, LogoutURLs
_NEEDS_OPENID: Final = frozenset({"email", "phone", "profile"})
_PROMPTS: Final = ("none", "login", "select_account", "consent")
LANGUAGES: Final = ("de", "en", "es", "fr", "id", "it", "ja", "ko", "pt-BR", "zh-CN", "zh-TW")
"""The languages of managed login. Source: AWS, "Managed login localization"."""
_IDP_IDENTIFIER: Final = r"[\w\s+=.@-]{1,40}"  # M: IdpIdentifiers
_PROVIDER_NAME: Final = r"[^_\s](?:.{0,30}[^_\s])?"  # M: ProviderName, 1 to 32, no outer underscore or space
_SEAL_PURPOSE: Final = "cognito-oidc-request"
_SEAL_VERSION: Final = 1
_SEALED_TYPES: Final[Mapping[str, type | UnionType]] = {
    "url": str,
    "state": str,
    "nonce": str,
    "code_verifier": str,
    "redirect_uri": str,
    "scopes": tuple,
    "max_age": int | None,
    "app_state": dict,
    "issuer": str,
    "client_id": str,
    "created_at": int | float,
}
_WHY_UNREADABLE: Final = (
    "The cookie that held it did not come back: it expired, is blocked, or is SameSite=Strict (Lax is right here).",
    "The callback reached another host name than the one that set the cookie.",
    "The servers do not have the same key, or the key was replaced without keeping the old one for a while.",
)
_MAX_SEALED: Final = 16 * 1024
_MAX_AGE: Final = 10 * 366 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What the browser was sent away with, and what the callback will be judged by.

    Keep it on the server, or sealed in a cookie, until the callback comes; never put it into a page. Its repr hides
    what would let somebody else finish the login.

    Attributes:
        url: Absolute URL to send the browser to.
        state: 43 characters base64url.
        nonce: 43 characters base64url.
        code_verifier: 43 characters base64url; a secret.
        redirect_uri: Where the callback goes.
        scopes: The scopes asked for.
        max_age: Seconds since the last sign-in that were allowed, or None.
        app_state: What the application wanted to find again, JSON; travels in the seal, never in `state`.
        issuer: Issuer of the pool that was asked.
        client_id: App client that asked.
        created_at: Epoch seconds UTC.
    """

    url: str = field(repr=False)
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    redirect_uri: str
    scopes: tuple[str, ...]
    max_age: int | None
    app_state: Mapping[str, object] = field(repr=False, hash=False)
    issuer: str
    client_id: str
    created_at: float

    def seal(self, key: bytes) -> str:
        """Return the request encrypted, for a cookie or a store: ASCII, about 1.5 KB.

        Args:
            key: 32 random bytes that only your servers know.

        Raises:
            ConfigurationError: The key is not 32 bytes, or `app_state` is so large that `unseal` would refuse.

        Source: RFC 7516 (compact serialization, `dir` with `A256GCM`).
        """
        text = json.dumps({"v": _SEAL_VERSION, **asdict(self)}, separators=(",", ":"))
        sealed = seal(text.encode(), key, purpose=_SEAL_PURPOSE)
        if len(sealed) > _MAX_SEALED:
            msg = (
                f"The sealed request has {len(sealed)} characters, more than {_MAX_SEALED}: keep app_state small (a "
                "cookie holds 4,096), and the rest in your own store under an id."
            )
            raise ConfigurationError(msg)
        return sealed

    @classmethod
    def unseal(cls, sealed: str, key: bytes | Iterable[bytes]) -> Self:
        """Return the request that `seal` encrypted. How old it may be is judged with the callback.

        Args:
            sealed: What `seal` returned.
            key: The key, or several keys, newest first, while keys are being replaced.

        Raises:
            CallbackError: It was not sealed with one of these keys, or was changed; `reason` is `unreadable_request`.
            ConfigurationError: A key is not 32 bytes, or there is none.
        """
        text = unseal(sealed, key, purpose=_SEAL_PURPOSE, max_length=_MAX_SEALED)
        if text is not None:
            with contextlib.suppress(ValueError, KeyError, TypeError):  # other values under this purpose and key
                return cls._from_sealed_text(text)
        msg = (
            "The sealed authorization request cannot be read: it is missing, cut off or changed, or was sealed with "
            "another key. Start the login again."
        )
        raise CallbackError(msg, reason="unreadable_request", causes=_WHY_UNREADABLE)

    @classmethod
    def _from_sealed_text(cls, text: bytes) -> Self:
        values = load_object(text)
        if values.pop("v") != _SEAL_VERSION:
            raise ValueError  # of another version of this library
        request = cls(**{**values, "scopes": tuple(cast("list[str]", values["scopes"]))})  # type: ignore[arg-type]
        if not all(isinstance(value, _SEALED_TYPES[name]) for name, value in asdict(request).items()):
            raise TypeError  # somebody else sealed something else with this key
        return request


def authorization_request(
    *,
    authorization_endpoint: str,
    issuer: str,
    client_id: str,
    redirect_uri: str,
    scopes: str | Iterable[str],
    now: float,
    random_bytes: Callable[[int], bytes],
    identity_provider: str | None = None,
    idp_identifier: str | None = None,
    identity_providers: Iterable[str] | None = None,
    login_hint: str | None = None,
    prompt: str | Iterable[str] | None = None,
    lang: str | None = None,
    max_age: int | None = None,
    acr_values: str | Iterable[str] | None = None,
    resource: str | None = None,
    app_state: Mapping[str, object] | None = None,
) -> AuthorizationRequest:
    """Build an authorization request; it always carries S256 PKCE, `state` and `nonce`.

    Args:
        authorization_endpoint: Absolute URL.
        issuer: The pool's issuer.
        client_id: The app client.
        redirect_uri: One of the app client's callback URLs, exactly as registered.
        scopes: Scope names; `email`, `phone` and `profile` only together with `openid`.
        now: Epoch seconds UTC.
        random_bytes: Returns that many random bytes, as `secrets.token_bytes` does.
        identity_provider: `"COGNITO"`, a social provider, or the name of a SAML or OIDC provider; case counts.
        idp_identifier: One of the identifiers of a provider instead of its name.
        identity_providers: The names that exist; another one is refused, with a suggestion.
        login_hint: User name or e-mail address to fill in; forwarded to OIDC providers and Google.
        prompt: `"none"` alone, or a combination of `"login"`, `"select_account"` and `"consent"`.
        lang: Language of managed login, such as `"pt-BR"`.
        max_age: Seconds since the last sign-in after which the person signs in again.
        acr_values: Authentication contexts, the most wanted first.
        resource: The one resource server the access token is for; becomes its `aud`.
        app_state: JSON values to find again at the callback.

    Raises:
        ConfigurationError: A parameter Cognito would refuse, ignore or mangle.

    Source: RFC 6749 section 4.1.1; RFC 7636 section 4.3; RFC 8707 section 2; OpenID Connect Core 1.0 section 3.1.2.1;
    AWS, "The redirect and authorization endpoint".
    """
    wanted = check_scopes(scopes)
    verifier = generate_code_verifier(random_bytes)
    state, nonce = generate_opaque_text(random_bytes), generate_opaque_text(random_bytes)
    form = {
        "response_type": "code",
        "client_id": check_client_id(client_id),
        "redirect_uri": check_redirect_uri(redirect_uri, what="redirect_uri"),
        "scope": " ".join(wanted),
        "state": state,
        "nonce": nonce,
        "code_challenge": derive_code_challenge(verifier),
        "code_challenge_method": "S256",
        **_provider_choice(identity_provider, idp_identifier, identity_providers),
    }
    if login_hint is not None:
        form["login_hint"] = _check_text(login_hint, what="login_hint")
    if prompt is not None:
        form["prompt"] = _check_prompt(prompt)
    if lang is not None:
        form["lang"] = _one_of(lang, LANGUAGES, what="lang")
    if max_age is not None:
        form["max_age"] = str(_check_max_age(max_age))
    if acr_values is not None:
        form["acr_values"] = " ".join(_tokens(acr_values, what="acr_values"))
    if resource is not None:
        form["resource"] = check_resource(resource)
    return AuthorizationRequest(
        url=f"{authorization_endpoint}?{urlencode(form, quote_via=quote)}",
        state=state,
        nonce=nonce,
        code_verifier=verifier,
        redirect_uri=redirect_uri,
        scopes=wanted,
        max_age=max_age,
        app_state=_check_app_state(app_state),
        issuer=issuer,
        client_id=client_id,
        created_at=now,
    )


def check_scopes(scopes: str | Iterable[str]) -> tuple[str, ...]:
    """Return the scope names without repetitions, in order.

    Raises:
        ConfigurationError: A name no scope can have, none at all, too many, `offline_access`, or an OpenID scope
            without `openid`.

    Source: RFC 6749 section 3.3; AWS, "The redirect and authorization endpoint", parameter scope.
    """
    names = _tokens(scopes, what="scopes")
    if "offline_access" in names:
        msg = (
            "scopes: Cognito has no 'offline_access' and fails on it; leave it out. The code flow always "
            "returns a refresh token."
        )
        raise ConfigurationError(msg)
    if missing := _NEEDS_OPENID.intersection(names) if "openid" not in names else ():
        msg = (
            f"scopes: {', '.join(sorted(missing))} can only be asked for together with openid: add 'openid', or for a "
            "machine token, which has custom scopes only, leave them out."
        )
        raise ConfigurationError(msg)
    if len(names) > _MAX_SCOPES:
        msg = f"scopes: an app client has at most {_MAX_SCOPES}, got {len(names)}."
        raise ConfigurationError(msg)
    return names


def check_redirect_uri(uri: str, *, what: str) -> str:
    """Return a callback or logout URL that Cognito could have registered.

    Raises:
        ConfigurationError: Not absolute, with a fragment, too long, a script or a file, http elsewhere than on
            loopback, or leading elsewhere than it seems to.

    Source: AWS, API reference CreateUserPoolClient, CallbackURLs and LogoutURLs.
    """
    problem = None
    if not isinstance(uri, str) or re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+", uri) is None:
        problem = "expected an absolute URL, such as 'https://app.example.com/callback'"
    elif len(uri) > _MAX_URI:
        problem = f"expected at most {_MAX_URI} characters"
    elif "#" in uri:
        problem = "it must not hold a fragment"
    elif uri.partition(":")[0].lower() in _SCRIPTS_AND_FILES:
        problem = "the browser would run or open it here instead of sending it to an application"
    elif uri.lower().startswith("http:") and not is_loopback(uri.partition("?")[0]):
        problem = "http is only accepted for localhost, 127.0.0.1 and [::1]; use https"
    elif uri.lower().startswith(("http:", "https:")):
        problem = _problem_of_authority(uri)
    if problem is not None:
        msg = f"{what} {shown(without_user(uri) if isinstance(uri, str) else uri)} cannot be used: {problem}."
        raise ConfigurationError(msg)
    return uri


def check_resource(resource: str) -> str:
    """Return a `resource` that Cognito binds tokens to.

    Raises:
        ConfigurationError: No absolute URI of an allowed scheme, or it has a fragment.

    Source: RFC 8707 section 2; AWS, "Resource binding".
    """
    if (
        not isinstance(resource, str)
        or re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://[\x21-\x7e]+", resource) is None
        or "#" in resource
        or (resource.lower().startswith("http:") and not is_loopback(resource.partition("?")[0]))
    ):
        msg = (
            f"resource {shown(resource)} cannot be used: expected one absolute URI without fragment: 'https://...', "
            "'http://localhost...' or a scheme of your own."
        )
        raise ConfigurationError(msg)
    return resource


def _provider_choice(name: str | None, identifier: str | None, known: Iterable[str] | None) -> dict[str, str]:
    """Return the parameter that chooses the identity provider, if one is chosen."""
    if name is not None and identifier is not None:
        msg = "Pass identity_provider or idp_identifier, not both."
        raise ConfigurationError(msg)
    if identifier is not None:
        if not isinstance(identifier, str) or re.fullmatch(_IDP_IDENTIFIER, identifier) is None:
            msg = f"idp_identifier {shown(identifier)}: expected 1 to 40 letters, digits, spaces or one of _+=.@-."
            raise ConfigurationError(msg)
        return {"idp_identifier": identifier}
    if name is None:
        return {}
    if not isinstance(name, str) or re.fullmatch(_PROVIDER_NAME, name) is None or not name.isprintable():
        msg = f"identity_provider {shown(name)}: expected 1 to 32 characters, without '_' or a space at the ends."
        raise ConfigurationError(msg)
    names = None if known is None else _several(known, one=str, what="identity_providers")
    if names is not None and name not in names:
        folded = {one.casefold(): one for one in names if isinstance(one, str)}
        near = difflib.get_close_matches(name.casefold(), folded, n=1)
        hint = f" Did you mean {folded[near[0]]!r}? Case counts." if near else ""
        msg = f"identity_provider {shown(name)} is not among {', '.join(map(repr, names)) or 'those configured'}.{hint}"
        raise ConfigurationError(msg)
    return {"identity_provider": name}


def check_identity_providers(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of a pool's providers.

    Raises:
        ConfigurationError: They are not several texts.
    """
    if isinstance(names, str):
        msg = f"identity_providers: expected several names, got one text: write ({shown(names)},)."
        raise ConfigurationError(msg)
    several = _several(names, one=str, what="identity_providers")
    if not all(isinstance(name, str) for name in several):
        msg = "identity_providers: expected names, each a text."
        raise ConfigurationError(msg)
    return cast("tuple[str, ...]", several)


def _check_prompt(prompt: str | Iterable[str]) -> str:
    values = _tokens(prompt, what="prompt")
    for value in values:
        _one_of(value, _PROMPTS, what="prompt")
    if "none" in values and len(values) > 1:
        msg = "prompt: 'none' cannot be combined with another value."
        raise ConfigurationError(msg)
    return " ".join(values)


def _one_of(value: str, allowed: tuple[str, ...], *, what: str) -> str:
    if value not in allowed:
        # Half of the letters: 'pt' is near enough to 'pt-BR', and 'en-US' to 'en'.
        near = difflib.get_close_matches(value, allowed, n=1, cutoff=0.5) if isinstance(value, str) else ()
        hint = f" Did you mean {near[0]!r}?" if near else ""
        msg = f"{what} {shown(value)}: expected one of {', '.join(allowed)}.{hint}"
        raise ConfigurationError(msg)
    return value


def _check_max_age(max_age: int) -> int:
    if isinstance(max_age, bool) or not isinstance(max_age, int) or not 0 <= max_age <= _MAX_AGE:
        msg = f"max_age: expected whole seconds, 0 to {_MAX_AGE} (ten years)."
        raise ConfigurationError(msg)
    return max_age


def _check_text(text: str, *, what: str) -> str:
    if not isinstance(text, str) or text == "" or len(text) > _MAX_URI or not text.isprintable():
        msg = f"{what}: expected 1 to {_MAX_URI} printable characters."
        raise ConfigurationError(msg)
    return text


def _check_app_state(app_state: Mapping[str, object] | None) -> dict[str, object]:
    """Return a copy that JSON gave back, so that the request means the same before and after sealing."""
    try:
        values = {} if app_state is None else dict(app_state)
        # One level deeper, as in the seal.
        copy = load_object(json.dumps({"app_state": values}, allow_nan=False).encode())["app_state"]
    except (TypeError, ValueError, RecursionError):
        values, copy = {}, None
    if not isinstance(copy, dict) or copy.keys() != values.keys():
        msg = f"app_state: expected a mapping of strings to JSON values, less than {MAX_DEPTH} levels deep."
        raise ConfigurationError(msg)
    return copy


def _tokens(value: str | Iterable[str], *, what: str) -> tuple[str, ...]:
    """Return space-delimited values given as one text or as several, each once, in order."""
    values = _several(value.split(" ") if isinstance(value, str) else value, one=str, what=what)
    bad = [one for one in values if not isinstance(one, str) or re.fullmatch(_SCOPE_TOKEN, one) is None]
    if bad or not values:
        got = shown(bad[0]) if bad else "none"
        msg = f"{what}: expected names of visible ASCII characters without space, '\"' or '\\', got {got}."
        raise ConfigurationError(msg)
    return tuple(dict.fromkeys(cast("tuple[str, ...]", values)))


def _several(value: object, *, one: type | UnionType, what: str) -> tuple[object, ...]:
    """Return what was given as one value, or as an iterable of several."""
    if isinstance(value, one):
        return (value,)
    try:
        return tuple(cast("Iterable[object]", value))
    except TypeError:
        msg = f"{what}: expected one or several of them, got {shown(value)}."
        raise ConfigurationError(msg) from None


def _problem_of_authority(uri: str) -> str | None:
    """Return why a browser would not go where a web address seems to lead."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return "it has no host, or a port that is none"
    if not parts.hostname:
        return "it has no host"
    if "\\" in uri:
        return "it holds a backslash, which browsers read as a slash"
    if "@" in parts.netloc:
        return "it must not hold user information (before an @)"
    return "port 0 cannot be reached" if port == 0 else None
