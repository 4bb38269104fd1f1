import copy
from collections.abc import Iterator, Mapping
from functools import partial
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from cognito_oidc.errors import (
    AuthorizationDeniedError,
    CallbackError,
    CognitoOidcError,
    ConfigurationError,
    StateMismatchError,
)
from cognito_oidc.protocol.authorization import AuthorizationRequest, authorization_request
from cognito_oidc.protocol.callback import AuthorizationCode, parse_callback, peek_state
from tests.answers import anything, outcome

NOW = 1_800_000_000.0
ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz"
UPDATED = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz"
CLIENT_ID = "1example23456789abcdefghij"
CODE = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"


def request_of(
    *, seed: bytes = b"r", client_id: str = CLIENT_ID, issuer: str = ISSUER, now: float = NOW
) -> AuthorizationRequest:
    """Return an authorization request whose random values follow from a seed."""
    return authorization_request(
        authorization_endpoint="https://acme.auth.eu-west-1.amazoncognito.com/oauth2/authorize",
        issuer=issuer,
        client_id=client_id,
        redirect_uri="https://app.example.com/callback",
        scopes="openid",
        now=now,
        random_bytes=lambda size: seed * size,
    )


REQUEST = request_of()
STATE = REQUEST.state
OTHER = request_of(seed=b"o")
GOOD = f"https://app.example.com/callback?code={CODE}&state={STATE}"


def parse(callback: object, request: object = REQUEST, *, now: float = NOW + 30) -> AuthorizationCode:
    """Judge a callback as this app client of this pool, half a minute after the request."""
    return parse_callback(
        callback,  # type: ignore[arg-type]
        request,  # type: ignore[arg-type]
        now=now,
        max_request_age=600,
        client_id=CLIENT_ID,
        issuers=(ISSUER, UPDATED),
    )


def url(query: str) -> str:
    """Return a callback URL with this query."""
    return f"https://app.example.com/callback?{query}"


class Lists:
    """Django's QueryDict and Werkzeug's MultiDict: `items()` shows one value of each name, `lists()` all."""

    def __init__(self, members: Mapping[str, list[str]]) -> None:
        self._members = members

    def items(self) -> Iterator[tuple[str, str]]:
        return ((name, values[-1]) for name, values in self._members.items())

    def lists(self) -> Iterator[tuple[str, list[str]]]:
        return iter(self._members.items())


class Pairs(list[tuple[str, str]]):
    """Pairs that have something else under the name of a mapping's method."""

    items = "no method"


def endless() -> Iterator[tuple[str, str]]:
    """Yield parameters for ever."""
    while True:
        yield ("x", "y")


# --- callbacks that are good, though some look odd ---


@pytest.mark.parametrize(
    "callback",
    [
        pytest.param(GOOD, id="the URL"),
        pytest.param(f"http://10.0.0.7:8080/callback?code={CODE}&state={STATE}", id="a proxy changed scheme and host"),
        pytest.param(f"/prefix/callback?state={STATE}&code={CODE}", id="a path, other order"),
        pytest.param(f"callback?code={CODE}&state={STATE}", id="a relative path"),
        pytest.param(f"myapp://cb?code={CODE}&state={STATE}", id="an app's scheme"),
        pytest.param(f"com.example.app:/cb?code={CODE}&state={STATE}", id="an app's scheme with one slash"),
        pytest.param(f"?code={CODE}&state={STATE}", id="the query with its mark"),
        pytest.param(f"code={CODE}&state={STATE}", id="the bare query"),
        pytest.param(f"code={CODE}&state={STATE}&next=/a?b=c", id="the bare query with a question mark in it"),
        pytest.param(f"iss={ISSUER}&code={CODE}&state={STATE}", id="the bare query with a URL in it"),
        pytest.param(f"x&code={CODE}&state={STATE}", id="the bare query, beginning with a name without a value"),
        pytest.param(f"{GOOD}&x=".ljust(65536, "a"), id="65,536 characters"),
        pytest.param(url(f"code={CODE}&state={STATE}#_=_"), id="a fragment that says nothing"),
        pytest.param(url(f"code={CODE}&state={STATE}&session_state=x&x=1&x=2"), id="parameters nobody asked for"),
        pytest.param(url(f"code={CODE}&state={STATE}&&"), id="empty parameters"),
        pytest.param(url(f"code={CODE}&state={STATE}&iss={quote(ISSUER, safe='')}"), id="the issuer, RFC 9207"),
        pytest.param(url(f"code={CODE}&state={STATE}&iss={quote(UPDATED, safe='')}"), id="the pool's other issuer"),
        pytest.param(url(f"code={quote(CODE).replace('-', '%2D')}&state={quote(STATE)}"), id="percent-encoded letters"),
        pytest.param({"code": CODE, "state": STATE}, id="a mapping"),
        pytest.param({"code": [CODE], "state": (STATE,), "x": []}, id="a mapping of lists"),
        pytest.param([("code", CODE), ("state", STATE)], id="pairs"),
        pytest.param(Pairs([("code", CODE), ("state", STATE)]), id="pairs with an attribute called items"),
        pytest.param(iter([("state", STATE), ("code", CODE)]), id="an iterator of pairs"),
        pytest.param(QueryParams(f"code={CODE}&state={STATE}"), id="Starlette's QueryParams"),
        pytest.param(httpx.QueryParams(f"code={CODE}&state={STATE}"), id="httpx's QueryParams"),
        pytest.param(httpx.URL(GOOD).params, id="the params of httpx's URL"),
        pytest.param(Lists({"code": [CODE], "state": [STATE]}), id="Django's and Werkzeug's lists"),
    ],
)
def test_a_callback_that_answers_the_request_gives_its_code(callback: object) -> None:
    """The query alone is judged, in whatever form it comes; the code comes with the request it answers."""
    result = parse(callback)
    assert (result.code, result.request) == (CODE, REQUEST)


@pytest.mark.parametrize("issuer", [pytest.param(ISSUER, id="original"), pytest.param(UPDATED, id="updated")])
def test_a_request_to_either_issuer_of_the_pool_is_its_own(issuer: str) -> None:
    """Somebody may have changed the issuer's type while the person was away."""
    request = request_of(issuer=issuer)
    assert parse(url(f"code={CODE}&state={request.state}"), request).code == CODE


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("x", id="one character"),
        pytest.param("!~" * 2048, id="4,096 characters"),
        pytest.param("a+b/c", id="+"),
    ],
)
def test_a_code_is_any_visible_text(code: str) -> None:
    """RFC 6749 appendix A.11: a code is opaque."""
    assert parse({"code": code, "state": STATE}).code == code


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(NOW, id="at once"),
        pytest.param(NOW + 600, id="at the last moment"),
        pytest.param(NOW - 60, id="another server's clock a minute behind"),
    ],
)
def test_a_request_is_good_for_its_time(now: float) -> None:
    """The age counts from `created_at`, both ends included, and clocks of servers may differ by a minute."""
    assert parse(GOOD, now=now).code == CODE


# --- callbacks that are not: exception and reason of each ---

REFUSED = [
    # State: missing, foreign, changed, several
    pytest.param(url(f"code={CODE}"), StateMismatchError, "missing_state", id="no state"),
    pytest.param(url(f"code={CODE}&state="), StateMismatchError, "state_mismatch", id="empty state"),
    pytest.param(url(f"code={CODE}&state"), StateMismatchError, "state_mismatch", id="state without a value"),
    pytest.param(
        url(f"code={CODE}&State={STATE}"), StateMismatchError, "missing_state", id="another spelling of state"
    ),
    pytest.param(
        url(f"code={CODE}&state={OTHER.state}"), StateMismatchError, "state_mismatch", id="another tab's state"
    ),
    pytest.param(url(f"code={CODE}&state={STATE[:-1]}"), StateMismatchError, "state_mismatch", id="state cut off"),
    pytest.param(url(f"code={CODE}&state={STATE}="), StateMismatchError, "state_mismatch", id="state with padding"),
    pytest.param(url(f"code={CODE}&state={STATE}%20"), StateMismatchError, "state_mismatch", id="state with a space"),
    pytest.param(url(f"code={CODE}&state={STATE}%00"), StateMismatchError, "state_mismatch", id="state with a null"),
    pytest.param(url(f"code={CODE}&state=%0A{STATE}"), StateMismatchError, "state_mismatch", id="state after a break"),
    pytest.param(
        url(f"code={CODE}&state={STATE.swapcase()}"), StateMismatchError, "state_mismatch", id="case of state"
    ),
    pytest.param(
        url(f"code={CODE}&state={quote('%' + STATE.encode().hex('%'), safe='')}"),
        StateMismatchError,
        "state_mismatch",
        id="state encoded twice",
    ),
    pytest.param(
        url(f"code={CODE}&state={STATE.replace('c', chr(0x441))}"),
        StateMismatchError,
        "state_mismatch",
        id="a lookalike",
    ),
    pytest.param({"code": CODE, "state": STATE + "\ud800"}, StateMismatchError, "state_mismatch", id="a surrogate"),
    pytest.param(
        url(f"code={CODE}&state={STATE}&state={STATE}"), CallbackError, "duplicate_parameter", id="state twice"
    ),
    pytest.param(
        url(f"code={CODE}&state={STATE}&state={OTHER.state}"), CallbackError, "duplicate_parameter", id="two states"
    ),
    pytest.param(
        url(f"code={CODE}&state={STATE}&st%61te=x"), CallbackError, "duplicate_parameter", id="two states, one encoded"
    ),
    # The code: missing, malformed, several
    pytest.param(url(f"state={STATE}"), CallbackError, "missing_code", id="no code"),
    pytest.param(url(f"code=&state={STATE}"), CallbackError, "malformed_code", id="empty code"),
    pytest.param(url(f"code=a%20b&state={STATE}"), CallbackError, "malformed_code", id="code with a space"),
    pytest.param(url(f"code=a%0D%0Ab&state={STATE}"), CallbackError, "malformed_code", id="code with a line break"),
    pytest.param(url(f"code=%C3%A9&state={STATE}"), CallbackError, "malformed_code", id="code not ASCII"),
    pytest.param(url(f"code={'a' * 4097}&state={STATE}"), CallbackError, "malformed_code", id="code too long"),
    pytest.param(url(f"code=a&code=b&state={STATE}"), CallbackError, "duplicate_parameter", id="two codes"),
    pytest.param(url(f"code={CODE}&code={CODE}&state={STATE}"), CallbackError, "duplicate_parameter", id="code twice"),
    # The issuer
    pytest.param(
        url(f"code={CODE}&state={STATE}&iss=https://evil.com"), StateMismatchError, "foreign_issuer", id="foreign iss"
    ),
    pytest.param(url(f"code={CODE}&state={STATE}&iss="), StateMismatchError, "foreign_issuer", id="empty iss"),
    pytest.param(
        url(f"code={CODE}&state={STATE}&iss={ISSUER}/"), StateMismatchError, "foreign_issuer", id="iss with a slash"
    ),
    pytest.param(
        url(f"code={CODE}&state={STATE}&iss={ISSUER}&iss={ISSUER}"),
        CallbackError,
        "duplicate_parameter",
        id="iss twice",
    ),
    pytest.param(
        url(f"error=access_denied&state={STATE}&iss=https://evil.com"),
        StateMismatchError,
        "foreign_issuer",
        id="an error of a foreign issuer",
    ),
    # Errors
    pytest.param(url(f"error=access_denied&state={STATE}"), AuthorizationDeniedError, "denied", id="an error"),
    pytest.param(url("error=access_denied"), StateMismatchError, "missing_state", id="an error without state"),
    pytest.param(
        url(f"error=access_denied&state={OTHER.state}"), StateMismatchError, "state_mismatch", id="another tab's error"
    ),
    pytest.param(
        url(f"error=access_denied&code={CODE}&state={STATE}"), CallbackError, "error_and_code", id="an error and a code"
    ),
    pytest.param(
        url(f"error=&code={CODE}&state={STATE}"), CallbackError, "error_and_code", id="an empty error and a code"
    ),
    pytest.param(
        url(f"error=access_denied&code={CODE}&state=x"), StateMismatchError, "state_mismatch", id="both, wrong state"
    ),
    pytest.param(url(f"error=a&error=b&state={STATE}"), CallbackError, "duplicate_parameter", id="two errors"),
    pytest.param(
        url(f"error=a&error_description=b&error_description=c&state={STATE}"),
        CallbackError,
        "duplicate_parameter",
        id="two descriptions",
    ),
    # Where the answer stands
    pytest.param(
        f"https://app.example.com/callback#code={CODE}&state={STATE}",
        CallbackError,
        "answer_in_fragment",
        id="fragment",
    ),
    pytest.param(
        f"https://app.example.com/callback?x=1#access_token=a&state={STATE}",
        CallbackError,
        "answer_in_fragment",
        id="implicit tokens beside a query of the application's",
    ),
    pytest.param("#error=access_denied&state=x", CallbackError, "answer_in_fragment", id="an error in the fragment"),
    pytest.param(GOOD + f"#state={OTHER.state}", None, "", id="a fragment beside the answer says nothing"),
    pytest.param(
        f"https://app.example.com/?code={CODE}/callback", StateMismatchError, "missing_state", id="a mangled URL"
    ),
    pytest.param("https://app.example.com/callback", StateMismatchError, "missing_state", id="no query"),
    pytest.param("", StateMismatchError, "missing_state", id="nothing"),
    pytest.param("callback", StateMismatchError, "missing_state", id="a word"),
    pytest.param(
        f"https://app.example.com/code={CODE}&state={STATE}", StateMismatchError, "missing_state", id="in the path"
    ),
    pytest.param(f"cb/x&code={CODE}&state={STATE}", StateMismatchError, "missing_state", id="in a relative path"),
    pytest.param(f"app:cb&code={CODE}&state={STATE}", StateMismatchError, "missing_state", id="in an app's path"),
    pytest.param(url(f"code={CODE};state={STATE}"), StateMismatchError, "missing_state", id="semicolons"),
    # Unreadable
    pytest.param(url(f"code=%FF&state={STATE}"), CallbackError, "unreadable_callback", id="no UTF-8"),
    pytest.param(url(f"code={CODE}&state={STATE}&x=%ED%A0%80"), CallbackError, "unreadable_callback", id="a surrogate"),
    pytest.param(url(f"x={'a' * 65536}"), CallbackError, "unreadable_callback", id="a huge URL"),
    pytest.param(
        url("&".join(f"p{n}=" for n in range(101))), CallbackError, "unreadable_callback", id="101 parameters"
    ),
    pytest.param(
        {f"p{n}": "" for n in range(101)}, CallbackError, "unreadable_callback", id="a mapping of 101 parameters"
    ),
    pytest.param({"x": ["y"] * 101}, CallbackError, "unreadable_callback", id="101 values of one name"),
    pytest.param(endless(), CallbackError, "unreadable_callback", id="pairs without an end"),
    pytest.param(None, CallbackError, "unreadable_callback", id="None"),
    pytest.param(5, CallbackError, "unreadable_callback", id="a number"),
    pytest.param(GOOD.encode(), CallbackError, "unreadable_callback", id="bytes"),
    pytest.param(httpx.URL(GOOD), CallbackError, "unreadable_callback", id="a URL object"),
    pytest.param(object(), CallbackError, "unreadable_callback", id="an object"),
    pytest.param([CODE, STATE], CallbackError, "unreadable_callback", id="texts without names"),
    pytest.param([("code", CODE, STATE)], CallbackError, "unreadable_callback", id="triples"),
    pytest.param(
        {"code": CODE, "state": STATE, "error": None}, CallbackError, "unreadable_callback", id="None as a value"
    ),
    pytest.param({"code": CODE, "state": 5}, CallbackError, "unreadable_callback", id="a number as a value"),
    pytest.param({b"code": CODE}, CallbackError, "unreadable_callback", id="bytes as a name"),
    pytest.param(
        {"code": [CODE.encode()], "state": [STATE]}, CallbackError, "unreadable_callback", id="Tornado's bytes"
    ),
    pytest.param(
        {"code": {"a": CODE}, "state": STATE}, CallbackError, "unreadable_callback", id="a mapping as a value"
    ),
    pytest.param([([], CODE)], CallbackError, "unreadable_callback", id="a name that cannot be hashed"),
    # Duplicates in every form
    pytest.param(
        {"code": [CODE], "state": [STATE, STATE]}, CallbackError, "duplicate_parameter", id="a list of states"
    ),
    pytest.param(
        [("code", CODE), ("state", STATE), ("code", "x")],
        CallbackError,
        "duplicate_parameter",
        id="pairs with two codes",
    ),
    pytest.param(
        QueryParams(f"code={CODE}&state={STATE}&code=x"),
        CallbackError,
        "duplicate_parameter",
        id="Starlette, two codes",
    ),
    pytest.param(
        httpx.QueryParams(f"code={CODE}&state={STATE}&code=x"),
        CallbackError,
        "duplicate_parameter",
        id="httpx, two codes",
    ),
    pytest.param(
        Lists({"code": ["x", CODE], "state": [STATE]}), CallbackError, "duplicate_parameter", id="Django, two codes"
    ),
    pytest.param(
        Lists({"code": [CODE], "state": ["x", STATE]}), CallbackError, "duplicate_parameter", id="Werkzeug, two states"
    ),
]


@pytest.mark.parametrize(("callback", "kind", "reason"), REFUSED)
def test_a_callback_that_does_not_answer_is_refused(
    callback: object, kind: type[CallbackError] | None, reason: str
) -> None:
    """Each hostile or broken callback has its exception and its reason, and its message quotes no state and no code."""
    result = outcome(lambda: parse(callback))
    assert type(result) is (kind or AuthorizationCode)
    assert getattr(result, "reason", "") == reason
    assert not any(secret in str(result) for secret in (STATE, OTHER.state, CODE))
    assert str(result).isprintable()


@pytest.mark.parametrize(
    ("request_", "now", "kind", "reason"),
    [
        pytest.param(
            request_of(client_id="2other3456789abcdefghijklm"), NOW, StateMismatchError, "foreign_request", id="client"
        ),
        pytest.param(
            request_of(issuer=ISSUER.replace("AbC", "XyZ")),
            NOW,
            StateMismatchError,
            "foreign_request",
            id="another pool",
        ),
        pytest.param(None, NOW, StateMismatchError, "missing_request", id="none stored"),
        pytest.param(REQUEST, NOW + 600.5, CallbackError, "request_expired", id="expired"),
        pytest.param(REQUEST, NOW + 1e9, CallbackError, "request_expired", id="years old"),
        pytest.param(REQUEST, NOW - 61, CallbackError, "request_expired", id="from the future"),
        pytest.param(REQUEST, float("nan"), CallbackError, "request_expired", id="no time at all"),
        pytest.param(
            OTHER, NOW + 1e9, StateMismatchError, "state_mismatch", id="expired and another tab's: state first"
        ),
    ],
)
def test_a_request_that_is_not_this_one_is_refused(
    request_: AuthorizationRequest, now: float, kind: type[CallbackError], reason: str
) -> None:
    """A good callback is refused beside a request of another client or pool, too old, from the future, or none."""
    result = outcome(lambda: parse(GOOD, request_, now=now))
    assert (type(result), getattr(result, "reason", None)) == (kind, reason)


@pytest.mark.parametrize("request_", [pytest.param("eyJhbGciOiJkaXIi", id="sealed"), pytest.param({}, id="a mapping")])
def test_what_is_no_request_is_a_mistake_of_the_program(request_: object) -> None:
    """A sealed request must be unsealed first, and the message says so without quoting it."""
    with pytest.raises(ConfigurationError, match=r"^request: expected an AuthorizationRequest, got (str|dict); unseal"):
        parse(GOOD, request_)


def test_an_old_error_is_still_told() -> None:
    """What went wrong is worth more than that it took long: an error with the right state comes first."""
    with pytest.raises(AuthorizationDeniedError):
        parse(url(f"error=access_denied&state={STATE}"), now=NOW + 1e9)


@pytest.mark.parametrize(
    ("query", "error", "description", "explained"),
    [
        pytest.param("error=access_denied", "access_denied", None, "Cancel", id="the person said no"),
        pytest.param("error=login_required", "login_required", None, "prompt=none", id="no session"),
        pytest.param(
            "error=interaction_required", "interaction_required", None, "prompt=none", id="no way without a page"
        ),
        pytest.param("error=unauthorized_client", "unauthorized_client", None, "not switched on", id="grant off"),
        pytest.param("error=invalid_scope", "invalid_scope", None, "does not have one of the scopes", id="scope"),
        pytest.param(
            "error_description=invalid_scope&error=invalid_request",
            "invalid_request",
            "invalid_scope",
            "scope",
            id="Cognito",
        ),
        pytest.param("error=unsupported_response_type", "unsupported_response_type", None, None, id="a long code"),
        pytest.param("error=account_selection_required", "account_selection_required", None, None, id="a longer code"),
        pytest.param(
            "error=server_error&error_description=Error+in+SAML+response+processing:+x",
            "server_error",
            "Error in SAML response processing: x",
            "SAML",
            id="SAML",
        ),
        pytest.param(
            "error=invalid_request&error_description=PreSignUp+failed+with+error+no%0D%0Aentry%1B[31m",
            "invalid_request",
            "PreSignUp failed with error no entry [31m",
            "scope",
            id="a Lambda's text with control characters",
        ),
        pytest.param(
            f"error=x&error_description=token+{'aB3-' * 12}+refused",
            "x",
            "token [removed] refused",
            None,
            id="a secret",
        ),
        pytest.param(f"error={'aB3' * 20}", "[removed]", None, None, id="a secret as the error"),
        pytest.param("error=", "unknown_error", None, None, id="an empty error"),
        pytest.param("error=%E2%80%AEx%00y", "x y", None, None, id="an unprintable error"),
        pytest.param(f"error=x&error_description={'a+' * 300}", "x", "a " * 99 + "a…", None, id="a long description"),
    ],
)
def test_what_the_server_said_is_kept_clean(
    query: str, error: str, description: str | None, explained: str | None
) -> None:
    """Wire sheet 2.1 and 8: error and description in any order, one printable line, with the likely cause."""
    with pytest.raises(AuthorizationDeniedError) as caught:
        parse(url(f"{query}&state={STATE}"))
    assert (caught.value.error, caught.value.description) == (error, description)
    assert str(caught.value).startswith(f"The login was refused: {error}")
    assert explained is None or explained in " ".join(caught.value.explain())


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        pytest.param(None, r"pass its URL as a str, a mapping of its query, or pairs", id="None"),
        pytest.param(httpx.URL(GOOD), r"pass its URL as a str", id="a URL object"),
        pytest.param(
            {"error": None}, r"'error' is of type NoneType; .*one that is absent is left out", id="None in it"
        ),
        pytest.param({b"code": "x"}, r"the name of a parameter is of type bytes", id="bytes in it"),
        pytest.param("?x=%FF", r"its query is not UTF-8", id="no UTF-8"),
        pytest.param("?" + "&" * 100, r"it holds more than 100 parameters", id="many"),
        pytest.param("x" * 65537, r"it is longer than 65536 characters", id="long"),
        pytest.param("#code=x", r"in the fragment .* implicit flow's place: only the code flow", id="fragment"),
        pytest.param("?code=a&code=b", r"holds 'code' more than once", id="twice"),
    ],
)
def test_a_message_says_what_to_do(callback: object, message: str) -> None:
    """Who passed the wrong thing reads what the right one is."""
    with pytest.raises(CallbackError, match=message) as caught:
        parse(callback)
    assert caught.value.__context__ is None  # the error of a parser would hold the query, code and all
    assert caught.value.explain()


def test_a_foreign_request_is_named() -> None:
    """Which client's request it was is no secret, and says where the mix-up is."""
    with pytest.raises(StateMismatchError, match=r"is of app client '2other' at 'https://cognito-idp.*', not of this"):
        parse(GOOD, request_of(client_id="2other"))


def test_an_expired_request_says_how_old_it_is() -> None:
    """The number tells a slow person from a lost clock."""
    with pytest.raises(CallbackError, match=r"is 700 s old, more than 600: start the login again") as caught:
        parse(GOOD, now=NOW + 700)
    assert "max_request_age" in caught.value.explain()[0]


def test_a_request_from_the_future_says_so() -> None:
    """An age below nothing would tell nobody anything."""
    with pytest.raises(CallbackError, match=r"request was made in the future: start the login again"):
        parse(GOOD, now=NOW - 61)


def test_a_callback_without_a_code_explains_where_it_may_be() -> None:
    """What got lost was mostly lost between Cognito and the program."""
    with pytest.raises(CallbackError, match="neither a code nor an error") as caught:
        parse(f"?state={STATE}")
    assert "lost" in caught.value.explain()[0]


# --- peeking ---


@pytest.mark.parametrize(
    ("callback", "state"),
    [
        pytest.param(GOOD, STATE, id="a good callback"),
        pytest.param({"state": "x"}, "x", id="a mapping"),
        pytest.param(url("error=access_denied&state=x"), "x", id="an error"),
        pytest.param(url("code=x"), None, id="no state"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_the_state_is_peeked_at_unchecked(callback: str, state: str | None) -> None:
    """`peek_state` finds the key of the stored request, and judges nothing."""
    assert peek_state(callback) == state


def test_two_states_are_not_peeked_at() -> None:
    """Of two states neither is the right one."""
    with pytest.raises(CallbackError) as caught:
        peek_state("?state=a&state=b")
    assert caught.value.reason == "duplicate_parameter"


# --- the code ---


def test_nobody_else_makes_a_code() -> None:
    """Only a callback that was checked gives an AuthorizationCode."""
    with pytest.raises(TypeError, match="comes from parse_callback"):
        AuthorizationCode(CODE, REQUEST, object())


def test_a_code_is_not_shown() -> None:
    """The repr shows which request it answers, and not the code."""
    assert CODE not in repr(parse(GOOD))
    assert CLIENT_ID in repr(parse(GOOD))


def test_a_code_can_be_copied() -> None:
    """A copy of a checked code is a checked code."""
    code = parse(GOOD)
    assert copy.copy(code) == code


# --- any input ---


@given(anything() | st.lists(st.tuples(st.text(), anything())) | st.dictionaries(st.text(), anything()))
def test_any_callback_gives_a_code_or_our_error(callback: object) -> None:
    """Whatever is passed as a callback, nothing but CallbackError comes of it."""
    assert isinstance(outcome(lambda: parse(callback)), CallbackError)
    assert isinstance(outcome(lambda: peek_state(callback)), str | None | CallbackError)  # type: ignore[arg-type]


NAMES = st.sampled_from(["code", "state", "iss", "error", "error_description", "x"])
VALUES = st.sampled_from([CODE, STATE, OTHER.state, ISSUER, "", "a b", "\x00", "é", "access_denied"]) | st.text()


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_a_code_comes_only_of_a_callback_with_one_right_state(pairs: list[tuple[str, str]]) -> None:
    """Of all callbacks, in each form, a code comes only where the one state is the request's, and no error is there."""
    results = [outcome(partial(parse, form)) for form in (pairs, iter(pairs), QueryParams(pairs))]
    accepted = any(isinstance(result, AuthorizationCode) for result in results)
    values = [value for name, value in pairs if name == "state"]
    assert all(isinstance(result, AuthorizationCode | CognitoOidcError) for result in results)
    assert len({type(result) for result in results}) == 1
    assert not accepted or (values == [STATE] and "error" not in dict(pairs))


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6).map(lambda pairs: urlencode(pairs, errors="surrogatepass")))
def test_a_bare_query_means_the_same_as_a_url(query: str) -> None:
    """A query alone, with its mark, and in a URL are judged alike."""
    results = [outcome(partial(parse, form)) for form in (query, f"?{query}", url(query))]
    assert len({(type(result), getattr(result, "reason", None)) for result in results}) == 1


@given(anything(), st.floats())
def test_any_request_gives_a_code_or_our_error(request_: object, now: float) -> None:
    """Whatever was kept instead of a request, and whatever the clock says, the error is ours."""
    assert isinstance(outcome(lambda: parse(GOOD, request_, now=now)), CognitoOidcError)
    assert isinstance(outcome(lambda: parse(GOOD, now=now)), AuthorizationCode | CallbackError)
