import copy
import pickle
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc import errors
from cognito_oidc.errors import (
    AuthorizationDeniedError,
    BearerUsageError,
    CallbackError,
    CognitoOidcError,
    ConfigurationError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidClaimError,
    InvalidClientError,
    InvalidGrantError,
    InvalidSignatureError,
    KeysNotLoadedError,
    KeysUnavailableError,
    LoginRequiredError,
    MalformedTokenError,
    MissingTokenError,
    OAuthError,
    ProtocolError,
    RateLimitedError,
    StateMismatchError,
    StoreError,
    TokenVerificationError,
    TransportError,
    UnknownKeyError,
    clean_error_code,
    clean_server_text,
    shown,
    shown_number,
)

# design.md, section 3, "Errors": class -> base, stable code, what to answer one's own caller, may it work later.
TREE = {
    "ConfigurationError": ("CognitoOidcError", "configuration", 500, False),
    "TransportError": ("CognitoOidcError", "transport", 503, True),
    "ProtocolError": ("CognitoOidcError", "protocol", 502, False),
    "CallbackError": ("CognitoOidcError", "callback", 400, False),
    "StateMismatchError": ("CallbackError", "state_mismatch", 400, False),
    "AuthorizationDeniedError": ("CallbackError", "authorization_denied", 400, False),
    "OAuthError": ("CognitoOidcError", "oauth", 502, False),
    "InvalidGrantError": ("OAuthError", "invalid_grant", 401, False),
    "InvalidClientError": ("OAuthError", "invalid_client", 500, False),
    "RateLimitedError": ("OAuthError", "rate_limited", 503, True),
    "BearerUsageError": ("CognitoOidcError", "invalid_request", 400, False),
    "TokenVerificationError": ("CognitoOidcError", "invalid_token", 401, False),
    "MissingTokenError": ("TokenVerificationError", "missing_token", 401, False),
    "MalformedTokenError": ("TokenVerificationError", "malformed_token", 401, False),
    "InvalidSignatureError": ("TokenVerificationError", "invalid_signature", 401, False),
    "UnknownKeyError": ("TokenVerificationError", "unknown_key", 401, False),
    "InvalidClaimError": ("TokenVerificationError", "invalid_claim", 401, False),
    "ExpiredTokenError": ("InvalidClaimError", "expired_token", 401, False),
    "InsufficientScopeError": ("InvalidClaimError", "insufficient_scope", 403, False),
    "KeysUnavailableError": ("CognitoOidcError", "keys_unavailable", 503, True),
    "KeysNotLoadedError": ("KeysUnavailableError", "keys_not_loaded", 503, True),
    "LoginRequiredError": ("CognitoOidcError", "login_required", 401, False),
    "StoreError": ("CognitoOidcError", "store", 503, True),
}

SAMPLES: dict[str, CognitoOidcError] = {
    "ConfigurationError": ConfigurationError("m"),
    "TransportError": TransportError(
        "m", sent="maybe", endpoint="token", status=502, code="c", causes=("Because.",), retry_after=2.0
    ),
    "ProtocolError": ProtocolError("m"),
    "CallbackError": CallbackError("m", reason="missing_code", causes=("Because.",)),
    "StateMismatchError": StateMismatchError("m", reason="state_mismatch", code="c"),
    "AuthorizationDeniedError": AuthorizationDeniedError("m", error="access_denied", description="no"),
    "OAuthError": OAuthError("m", error="invalid_request", status=400),
    "InvalidGrantError": InvalidGrantError("m", error="invalid_grant", description="d", status=400, request_id="r"),
    "InvalidClientError": InvalidClientError("m", error="invalid_client", status=401, causes=("Because.",)),
    "RateLimitedError": RateLimitedError("m", error="too_many_requests", status=429, retry_after=3.0),
    "BearerUsageError": BearerUsageError("m"),
    "TokenVerificationError": TokenVerificationError("m", causes=("Because.",)),
    "MissingTokenError": MissingTokenError("m"),
    "MalformedTokenError": MalformedTokenError("m"),
    "InvalidSignatureError": InvalidSignatureError("m"),
    "UnknownKeyError": UnknownKeyError("m", looked_up=True),
    "InvalidClaimError": InvalidClaimError("m", claim="iss", expected="e", actual="a", signature_checked=False),
    "ExpiredTokenError": ExpiredTokenError("m", claim="exp", expected="later"),
    "InsufficientScopeError": InsufficientScopeError("m", claim="scope", expected="orders/read"),
    "KeysUnavailableError": KeysUnavailableError("m", retry_after=1.5),
    "KeysNotLoadedError": KeysNotLoadedError("m"),
    "LoginRequiredError": LoginRequiredError("m"),
    "StoreError": StoreError("m"),
}


def pickled(error: CognitoOidcError) -> object:
    """Return what another process gets."""
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes


EVERY = [pytest.param(name, id=name) for name in TREE]


def test_the_tree_is_the_one_of_the_design() -> None:
    """Every exception class stands in the tree, below the base the design gives it."""
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    found = {one.__name__: one.__bases__[0].__name__ for one in classes if one is not CognitoOidcError}
    assert found == {name: base for name, (base, *_) in TREE.items()}


def test_a_configuration_error_is_a_value_error() -> None:
    """Who catches ValueError around a constructor catches ours."""
    assert ConfigurationError.__bases__ == (CognitoOidcError, ValueError)
    assert CognitoOidcError.__bases__ == (Exception,)


def test_the_docstring_draws_the_tree() -> None:
    """The drawing in the module's docstring names every class, in the order of the design."""
    assert re.findall(r"(?m)^[│├└─ ]+(\w+Error)", errors.__doc__ or "") == list(TREE)


@pytest.mark.parametrize("name", EVERY)
def test_a_class_says_what_a_program_needs(name: str) -> None:
    """Code, status and whether it may work later are those of the design, unless the raiser knew better."""
    cls = getattr(errors, name)
    assert (cls.code, cls.http_status, cls.retryable, cls.retry_after) == (*TREE[name][1:], None)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("copier", [pickled, copy.copy, copy.deepcopy])
def test_an_error_can_be_pickled_and_copied(name: str, copier: Callable[[object], CognitoOidcError]) -> None:
    """A copy is of the same class with the same text and attributes: errors cross processes."""
    error = SAMPLES[name]
    twin = copier(error)
    assert (type(twin), twin.args, vars(twin)) == (type(error), error.args, vars(error))
    assert (twin.explain(), twin.www_authenticate()) == (error.explain(), error.www_authenticate())


@pytest.mark.parametrize("name", EVERY)
def test_an_error_holds_nothing_but_plain_values(name: str) -> None:
    """No error keeps a client, a response or another object alive."""
    plain = (str, int, float, bool, type(None), tuple)
    assert all(isinstance(value, plain) for value in vars(SAMPLES[name]).values())


@pytest.mark.parametrize("name", EVERY)
def test_an_explanation_is_whole_sentences(name: str) -> None:
    """What a class explains, likeliest first, is a tuple of sentences on one line each."""
    for cause in (*getattr(errors, name)._explanation, *SAMPLES[name].explain()):
        assert re.fullmatch(r"[A-Z][^\n]*\.", cause)


@pytest.mark.parametrize(
    "name",
    [
        "BearerUsageError",
        "MissingTokenError",
        "MalformedTokenError",
        "InsufficientScopeError",
        "CallbackError",
        "StateMismatchError",
    ],
)
def test_what_a_person_meets_is_explained(name: str) -> None:
    """Where the raiser names no cause, the class has some."""
    cls = getattr(errors, name)
    assert all(cls._explanation)
    assert cls._explanation


def test_raiser_says_whether_a_failed_exchange_may_be_repeated() -> None:
    """A code that may have arrived is not sent again; who raises knows what was sent."""
    assert TransportError("m", sent="maybe", endpoint="token", retryable=False).retryable is False
    assert TransportError("m", sent="no", endpoint="token").retryable is True


def test_causes_of_the_raiser_replace_those_of_the_class() -> None:
    """Who raises knows more than the class."""
    assert ProtocolError("m", causes=("The moon is full.",)).explain() == ("The moon is full.",)


def test_code_and_retry_after_of_the_raiser_replace_those_of_the_class() -> None:
    """Both stay the class's own elsewhere."""
    error = StoreError("m", code="store_locked", retry_after=0.0)
    assert (error.code, error.retry_after, StoreError.code, StoreError.retry_after) == (
        "store_locked",
        0.0,
        "store",
        None,
    )


@pytest.mark.parametrize(
    ("error", "header"),
    [
        pytest.param(ConfigurationError("m"), None, id="not a token's"),
        pytest.param(KeysUnavailableError("m"), None, id="nothing known"),
        pytest.param(
            MalformedTokenError("no token"), 'Bearer error="invalid_token", error_description="no token"', id="401"
        ),
        pytest.param(MissingTokenError("m"), 'Bearer realm="api"', id="no token: no error code"),
        pytest.param(
            BearerUsageError("two headers"),
            'Bearer error="invalid_request", error_description="two headers"',
            id="400",
        ),
        pytest.param(
            MalformedTokenError('kid is "x\\y"\r\nSet-Cookie: a=b\u2028é'),
            'Bearer error="invalid_token", error_description="kid is ?x?y???Set-Cookie: a=b??"',
            id="a message that would break the header",
        ),
        pytest.param(
            MalformedTokenError("x" * 201),
            f'Bearer error="invalid_token", error_description="{"x" * 197}..."',
            id="a message that is too long for a header",
        ),
        pytest.param(
            InvalidClaimError("m", claim="client_id", expected="one of web, job", actual="'other'"),
            'Bearer error="invalid_token", error_description="The token\'s client_id is not accepted here."',
            id="what would have been accepted is not for everybody",
        ),
        pytest.param(
            ExpiredTokenError("expired 5 s ago", claim="exp", expected="later"),
            'Bearer error="invalid_token", error_description="expired 5 s ago"',
            id="the caller may know when it expired",
        ),
        pytest.param(
            InsufficientScopeError("lacks a scope", claim="scope", expected="orders/read orders/write"),
            'Bearer error="insufficient_scope", error_description="lacks a scope", scope="orders/read orders/write"',
            id="a scope is missing",
        ),
        pytest.param(
            InsufficientScopeError("lacks a group", claim="cognito:groups", expected="admins"),
            'Bearer error="insufficient_scope", error_description="lacks a group"',
            id="a group is missing",
        ),
        pytest.param(
            InsufficientScopeError("m", claim="scope", expected='a"\\\n'),
            'Bearer error="insufficient_scope", error_description="m", scope="a???"',
            id="a scope that would break the header",
        ),
        pytest.param(
            UnknownKeyError("no such key", looked_up=True),
            'Bearer error="invalid_token", error_description="no such key"',
            id="a key that was looked for",
        ),
        pytest.param(UnknownKeyError("m", looked_up=False, retry_after=4.0), None, id="a key nobody could look for"),
    ],
)
def test_the_www_authenticate_header_is_that_of_rfc_6750(error: CognitoOidcError, header: str | None) -> None:
    """RFC 6750 section 3: one line, quoted strings without quotes and backslashes inside; None where none belongs."""
    assert error.www_authenticate() == header


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        pytest.param(ConfigurationError("m"), {}, id="500"),
        pytest.param(MissingTokenError("m"), {"WWW-Authenticate": 'Bearer realm="api"'}, id="401"),
        pytest.param(KeysUnavailableError("m"), {"Retry-After": "1"}, id="503, nobody knows how long"),
        pytest.param(KeysUnavailableError("m", retry_after=0.0), {"Retry-After": "1"}, id="503, now"),
        pytest.param(KeysUnavailableError("m", retry_after=2.0), {"Retry-After": "2"}, id="503, two seconds"),
        pytest.param(
            UnknownKeyError("m", looked_up=False, retry_after=2.01), {"Retry-After": "3"}, id="503, a bit longer"
        ),
    ],
)
def test_an_answer_has_the_headers_that_belong_to_it(error: CognitoOidcError, headers: dict[str, str]) -> None:
    """RFC 9110 sections 10.2.3 and 11.6.1: a challenge with 401, whole seconds, rounded up, with 503."""
    assert error.response_headers() == headers


@pytest.mark.parametrize(
    ("looked_up", "expected"),
    [pytest.param(True, (401, False, None), id="looked"), pytest.param(False, (503, True, 4.0), id="could not look")],
)
def test_an_unknown_key_is_only_the_tokens_fault_when_somebody_looked(
    looked_up: bool, expected: tuple[int, bool, float | None]
) -> None:
    """'Cannot tell' is never 'is false': a key that could not be looked for is 503 and may be tried again."""
    error = UnknownKeyError("m", looked_up=looked_up, retry_after=None if looked_up else 4.0)
    assert (error.http_status, error.retryable, error.retry_after) == expected


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param(5, None, id="a number"),
        pytest.param(["a"], None, id="an array"),
        pytest.param("", "", id="empty"),
        pytest.param("Timeout occurred in calling IdP", "Timeout occurred in calling IdP", id="plain"),
        pytest.param("Größe überschritten 漢字 🔒", "Größe überschritten 漢字 🔒", id="other languages"),
        pytest.param("a\r\nERROR b\x1b[31m", "a ERROR b [31m", id="control characters"),
        pytest.param("a\u2028b\u2029c\x85d", "a b c d", id="line ends of Unicode"),
        pytest.param("abc\u202egpj.exe\u2066x", "abc gpj.exe x", id="marks of direction"),
        pytest.param("a\u200bb\ufeffc\u00add", "a b c d", id="characters without width"),
        pytest.param("a\ud800b\ue000c", "a b c", id="surrogates and private use"),
        pytest.param("  a  ", "a", id="outer spaces"),
        pytest.param("x" * 23, "x" * 23, id="23 characters are no credential"),
        pytest.param("x" * 24, "[removed]", id="24 characters may be one"),
        pytest.param("code 0a1b2c3d-4e5f-6789-abcd-ef0123456789!", "code [removed]!", id="a UUID, as codes are"),
        pytest.param("no eyJhIjoxfQ.eyJ9.c2ln!", "no [removed]!", id="a small token"),
        pytest.param("ask cognito-idp.eu-west-1.amazonaws.com", "ask cognito-idp.eu-west-1.amazonaws.com", id="a host"),
        pytest.param("a b " * 60, "a b " * 49 + "a b…", id="long"),
        pytest.param("s " * 400 + "x" * 100, "s " * 99 + "s…", id="longer than what is looked at"),
        pytest.param("\n" * 777 + "abcdefghijklmnopqrstuvwxyz0123456789", "", id="half a credential at the edge"),
    ],
)
def test_server_text_is_cleaned(text: object, cleaned: str | None) -> None:
    """Text of a server is one printable line without anything that looks like a credential."""
    assert clean_server_text(text) == cleaned


SECRET = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=-", min_size=40, max_size=40)


@given(st.text(st.characters(), max_size=900), SECRET, st.text(st.characters(), max_size=900), st.integers(20, 300))
def test_cleaned_text_is_printable_and_without_the_secret(before: str, secret: str, after: str, limit: int) -> None:
    """Wherever a secret of 40 characters stands, it is not in the result, not even its first 24."""
    cleaned = clean_server_text(before + secret + after, limit=limit)
    assert cleaned is not None
    assert len(cleaned) <= limit
    assert cleaned.isprintable()
    assert secret[:24] not in cleaned


@pytest.mark.parametrize(
    ("code", "cleaned"),
    [
        pytest.param("invalid_grant", "invalid_grant", id="RFC 6749"),
        pytest.param("unsupported_response_type", "unsupported_response_type", id="RFC 6749, 25 characters"),
        pytest.param("account_selection_required", "account_selection_required", id="OpenID Connect, 26 characters"),
        pytest.param("registration_not_supported", "registration_not_supported", id="OpenID Connect, registration"),
        pytest.param("unmet_authentication_requirements", "unmet_authentication_requirements", id="33 characters"),
        pytest.param("redirect-mismatch", "redirect-mismatch", id="another writing"),
        pytest.param("a\nb", "a b", id="control characters"),
        pytest.param("abcdefghijklmnopqrstuvwxyzabcd", "[removed]", id="one long word"),
        pytest.param("invalid_" + "x" * 30, "[removed]", id="a long word in it"),
        pytest.param("A1" * 20, "[removed]", id="a secret"),
        pytest.param("no " * 40, ("no " * 40)[:59] + "…", id="long"),
        pytest.param("", None, id="empty"),
        pytest.param("\n", None, id="only control characters"),
        pytest.param(None, None, id="nothing"),
        pytest.param(400, None, id="a number"),
        pytest.param({}, None, id="an object"),
    ],
)
def test_an_error_code_is_kept_where_it_is_one(code: object, cleaned: str | None) -> None:
    """Registered codes pass, however long; what is no such word is cleaned like any text."""
    assert clean_error_code(code) == cleaned


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("acme", "'acme'", id="a text"),
        pytest.param("a\n\ud800\u202e", r"'a\n\ud800\u202e'", id="unprintable"),
        pytest.param("x" * 101, "'" + "x" * 99 + "…'", id="long"),
        pytest.param(None, "nothing", id="nothing"),
        pytest.param(5, "a value of type int", id="a number"),
        pytest.param({"secret": 1}, "a value of type dict", id="an object"),
    ],
)
def test_a_value_is_shown_in_a_message(value: object, text: str) -> None:
    """A text is quoted, escaped and capped; of anything else only the type is shown."""
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(-1, "-1", id="short"),
        pytest.param(0.5, "0.5", id="fraction"),
        pytest.param(10**5000, "a value of type int", id="too long to be written"),
        pytest.param(float("inf"), "a value of type float", id="without end"),
        pytest.param(float("nan"), "a value of type float", id="none"),
        pytest.param(True, "a value of type bool", id="a boolean"),
        pytest.param("60", "'60'", id="a text"),
    ],
)
def test_a_number_is_shown_in_a_message(value: object, text: str) -> None:
    """As it is, where that is short."""
    assert shown_number(value) == text
