from base64 import b64decode

import pytest
from hypothesis import given

from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.client_authentication import (
    ClientAuthentication,
    TokenEndpointAuthMethod,
    check_client_id,
    client_authentication,
)
from tests.answers import anything, outcome

CLIENT_ID = "1example23456789abcdefghij"
SECRET = "9l5s+3cr3t_9l5s3cr3t9l5s3cr3t9l5s3cr3t9l5s3cr3t9l5s3c"


@pytest.mark.parametrize(
    ("secret", "method", "chosen"),
    [
        pytest.param(None, None, "none", id="public"),
        pytest.param(None, "none", "none", id="public, written"),
        pytest.param(SECRET, None, "client_secret_post", id="confidential"),
        pytest.param(SECRET, "client_secret_post", "client_secret_post", id="post, written"),
        pytest.param(SECRET, "client_secret_basic", "client_secret_basic", id="basic"),
    ],
)
def test_the_method_follows_from_the_secret(
    secret: str | None, method: TokenEndpointAuthMethod | None, chosen: str
) -> None:
    """A secret is sent in the form unless Basic is asked for; without one there is no method. Nothing is probed."""
    who = client_authentication(CLIENT_ID, secret, method)
    assert (who.client_id, who.client_secret, who.method) == (CLIENT_ID, secret, chosen)


def test_basic_is_that_of_rfc_7617() -> None:
    """RFC 7617 section 2: the user-id 'Aladdin' and the password 'open sesame'."""
    who = client_authentication("Aladdin", "open sesame", "client_secret_basic")
    assert who.headers == (("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),)


def test_basic_is_cognitos_form() -> None:
    """Wire sheet 1.4: base64 of the raw id and secret, without the percent-encoding of RFC 6749 section 2.3.1."""
    who = client_authentication(CLIENT_ID, "a+b%2B:é", "client_secret_basic")
    ((name, value),) = who.headers
    assert (name, b64decode(value.removeprefix("Basic ")).decode()) == ("Authorization", f"{CLIENT_ID}:a+b%2B:é")
    assert who.form == (("client_id", CLIENT_ID),)


def test_post_puts_the_secret_into_the_form() -> None:
    """RFC 6749 section 2.3.1: id and secret in the body, nothing in the headers."""
    who = client_authentication(CLIENT_ID, SECRET, None)
    assert (who.headers, who.form) == ((), (("client_id", CLIENT_ID), ("client_secret", SECRET)))


def test_a_public_client_sends_its_id_alone() -> None:
    """RFC 6749 section 3.2.1: a public client names itself in the form, and never uses Basic with an empty secret."""
    who = client_authentication(CLIENT_ID, None, None)
    assert (who.headers, who.form) == ((), (("client_id", CLIENT_ID),))


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
def test_without_a_secret_nothing_stands_in_for_it(method: TokenEndpointAuthMethod) -> None:
    """A value made without the check sends no 'None' as a secret."""
    who = ClientAuthentication(client_id=CLIENT_ID, method=method, client_secret=None)
    assert (who.headers, who.form) == ((), (("client_id", CLIENT_ID),))


@pytest.mark.parametrize(
    ("secret", "method", "used"),
    [
        pytest.param(SECRET, "client_secret_post", "client_secret_basic", id="post"),
        pytest.param(SECRET, "client_secret_basic", "client_secret_basic", id="basic"),
        pytest.param(None, "none", "none", id="public"),
    ],
)
def test_revocation_by_a_confidential_client_uses_basic(
    secret: str | None, method: TokenEndpointAuthMethod, used: str
) -> None:
    """Wire sheet 5: Basic is the only documented form at the revocation endpoint."""
    who = client_authentication(CLIENT_ID, secret, method).for_revocation
    assert (who.method, who.client_id, who.client_secret) == (used, CLIENT_ID, secret)


def test_the_repr_shows_no_secret() -> None:
    """Id and method may be logged, the secret not."""
    who = client_authentication(CLIENT_ID, SECRET, None)
    assert repr(who) == f"ClientAuthentication(client_id='{CLIENT_ID}', method='client_secret_post')"


@pytest.mark.parametrize(
    ("secret", "method", "message"),
    [
        pytest.param(None, "client_secret_post", r"'client_secret_post' needs a client_secret", id="post without"),
        pytest.param(None, "client_secret_basic", r"'client_secret_basic' needs a client_secret", id="basic without"),
        pytest.param(SECRET, "none", r"'none' needs no client_secret", id="none with"),
        pytest.param(SECRET, "private_key_jwt", r"'private_key_jwt': expected one of client_secret_post, ", id="JWT"),
        pytest.param(SECRET, "", r"token_endpoint_auth_method '': expected one of", id="empty method"),
        pytest.param(SECRET, [], r"token_endpoint_auth_method a value of type list: expected", id="no text"),
        pytest.param("", None, r"client_secret is no text, is empty", id="empty secret"),
        pytest.param(SECRET + "\n", None, r"line break at an end; was it read with the line\?", id="line break"),
        pytest.param(" " + SECRET, None, r"client_secret .*space", id="a space before"),
        pytest.param(SECRET + "\u00a0", None, r"client_secret .*space", id="a hard space after"),
        pytest.param("a\x00b", None, r"client_secret is no text", id="null character"),
        pytest.param("a\ud800", None, r"client_secret is no text", id="surrogate"),
        pytest.param(SECRET.encode(), None, r"client_secret is no text", id="bytes"),
        pytest.param(5, None, r"client_secret is no text", id="number"),
    ],
)
def test_a_bad_secret_or_method_is_refused(secret: str, method: TokenEndpointAuthMethod, message: str) -> None:
    """The message says what does not fit, and never shows the secret."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        client_authentication(CLIENT_ID, secret, method)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "client_id",
    [
        pytest.param(CLIENT_ID, id="generated"),
        pytest.param("a", id="one character"),
        pytest.param("my_client+1", id="every kind of character"),
        pytest.param("https://app.example.com/oauth/client.json", id="a URL of a metadata document"),
    ],
)
def test_a_client_id_comes_back(client_id: str) -> None:
    """Wire sheet 1.4 and 1.5: generated ids, and https URLs."""
    assert check_client_id(client_id) == client_id


@pytest.mark.parametrize(
    "client_id",
    [
        pytest.param("", id="empty"),
        pytest.param(CLIENT_ID + "\n", id="line break"),
        pytest.param("my client", id="space"),
        pytest.param("a:b", id="a colon, which Basic cannot carry"),
        pytest.param("http://app.example.com/client.json", id="a URL that is not https"),
        pytest.param("clïent", id="no ASCII"),
        pytest.param("a" * 2049, id="too long"),
        pytest.param(None, id="nothing"),
        pytest.param(CLIENT_ID.encode(), id="bytes"),
    ],
)
def test_a_bad_client_id_is_refused(client_id: str) -> None:
    """The message shows what came and where the id is found."""
    with pytest.raises(
        ConfigurationError, match=r"^client_id .*: expected the app client's id \(26 letters and digits"
    ):
        check_client_id(client_id)


@given(anything(), anything(), anything())
def test_any_arguments_give_a_client_or_our_error(client_id: object, secret: object, method: object) -> None:
    """Whatever is passed, the error is ours, and what is accepted can be sent."""
    result = outcome(lambda: client_authentication(client_id, secret, method))  # type: ignore[arg-type]
    assert isinstance(result, ClientAuthentication | ConfigurationError)
    assert isinstance(result, ConfigurationError) or all(
        isinstance(value, str) for pair in result.form for value in pair
    )
