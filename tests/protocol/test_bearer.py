"""The bearer token of a request: RFC 6750 section 2.1, RFC 9110 section 11.4."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cognito_oidc.errors import BearerUsageError, CognitoOidcError, MissingTokenError
from cognito_oidc.protocol.bearer import parse_bearer_token


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        pytest.param("Bearer mF_9.B5f-4.1JqM", "mF_9.B5f-4.1JqM", id="RFC 6750 section 2.1"),
        pytest.param(["Bearer mF_9"], "mF_9", id="every value, and there is one"),
        pytest.param("bearer mF_9", "mF_9", id="lower case"),
        pytest.param("BEARER mF_9", "mF_9", id="upper case"),
        pytest.param("Bearer   mF_9 ", "mF_9", id="several spaces, as RFC 9110 allows"),
        pytest.param("Bearer \tmF_9\t", "\tmF_9\t", id="a tabulator is no space"),
        pytest.param("Bearer XmF_9X", "XmF_9X", id="nothing but spaces is taken away"),
        pytest.param("Bearer", "", id="no token after the scheme"),
        pytest.param("Bearer ", "", id="an empty token"),
        pytest.param("Bearer a b", "a b", id="two words: no token, as the verifier says"),
        pytest.param("Bearer a, Bearer b", "a, Bearer b", id="two headers that a server joined: no token either"),
    ],
)
def test_a_bearer_token_is_what_stands_after_the_scheme(authorization: str | list[str], token: str) -> None:
    """The scheme is read in any case; what follows is the verifier's to judge."""
    assert parse_bearer_token(authorization) == token


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="no header"),
        pytest.param([], id="no value"),
        pytest.param("", id="an empty header"),
        pytest.param("Basic YW5uOmhvcnNl", id="another scheme"),
        pytest.param("DPoP eyJh", id="a scheme for tokens that is not ours"),
        pytest.param("eyJh.eyJi.c2ln", id="a token without its scheme"),
        pytest.param("BearereyJh", id="no space"),
        pytest.param(" Bearer eyJh", id="a space before"),
        pytest.param("Bearer\teyJh", id="a tab"),
        pytest.param("Bearer\u00a0eyJh", id="a space of Unicode"),
    ],
)
def test_without_bearer_credentials_the_token_is_missing(authorization: str | list[str] | None) -> None:
    """What is no bearer token is as good as none: 401, and no error code, since nobody tried."""
    with pytest.raises(MissingTokenError) as missing:
        parse_bearer_token(authorization)
    assert (missing.value.http_status, missing.value.code) == (401, "missing_token")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["Bearer a", "Bearer b"], id="two tokens"),
        pytest.param(["Bearer a", "Bearer a"], id="the same twice"),
        pytest.param(["Basic YW5u", "Bearer a"], id="two schemes"),
        pytest.param(["", "Bearer a"], id="an empty one and a token"),
        pytest.param(iter(["Bearer a", "Bearer b"]), id="an iterator"),
    ],
)
def test_more_than_one_header_is_refused(values: Iterable[str]) -> None:
    """Nobody may choose which of two tokens counts: a proxy may have judged the other one. Neither is quoted."""
    with pytest.raises(BearerUsageError) as refused:
        parse_bearer_token(values)
    assert (refused.value.http_status, str(refused.value)) == (
        400,
        "The request has 2 Authorization headers, expected one.",
    )


@given(st.none() | st.text() | st.lists(st.text(), max_size=3))
def test_any_header_gives_a_text_or_an_error_of_ours(authorization: str | list[str] | None) -> None:
    """Whatever a caller sends, nothing foreign is raised."""
    try:
        token = parse_bearer_token(authorization)
    except CognitoOidcError as error:
        token = error.code
    assert isinstance(token, str)
