"""Logout: the two forms of Cognito's sign-out endpoint."""

import pytest

from cognito_oidc.errors import ConfigurationError
from cognito_oidc.protocol.authorization import authorization_request
from cognito_oidc.protocol.logout import logout_and_login_url, logout_url


def test_logout_goes_where_it_was_registered() -> None:
    """Wire sheet 6, form A: `client_id` and `logout_uri`, nothing else."""
    url = logout_url(
        end_session_endpoint="https://a/logout", client_id="1example23456789", logout_uri="https://app/bye?x=1&y=2"
    )
    assert url == "https://a/logout?client_id=1example23456789&logout_uri=https%3A%2F%2Fapp%2Fbye%3Fx%3D1%26y%3D2"


def test_logout_needs_a_registrable_url() -> None:
    """A logout URI that cannot be registered ends on Cognito's error page: it is refused here."""
    with pytest.raises(ConfigurationError, match="logout_uri '/bye' cannot be used"):
        logout_url(end_session_endpoint="https://a/logout", client_id="1example23456789", logout_uri="/bye")


REQUEST = authorization_request(
    authorization_endpoint="https://a/oauth2/authorize",
    issuer="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz",
    client_id="1example23456789",
    redirect_uri="https://app/cb",
    scopes="openid",
    now=1_800_000_000,
    random_bytes=bytes,
)


@pytest.mark.parametrize("request_", [None, "https://a/oauth2/authorize?client_id=x", {"url": "https://a"}, object])
def test_logout_that_shows_the_login_page_needs_a_request(request_: object) -> None:
    """Anything else is refused with a sentence."""
    with pytest.raises(ConfigurationError, match="request: expected an AuthorizationRequest"):
        logout_and_login_url(
            end_session_endpoint="https://a/logout",
            client_id="1example23456789",
            request=request_,  # type: ignore[arg-type]  # what a careless caller could pass
        )


def test_logout_shows_no_login_page_of_another_client() -> None:
    """The person would sign in to another application, and come back to it."""
    with pytest.raises(ConfigurationError, match="app client '1example23456789', not of 'another'"):
        logout_and_login_url(end_session_endpoint="https://a/logout", client_id="another", request=REQUEST)


def test_logout_may_show_the_login_page() -> None:
    """Wire sheet 6, form B: the parameters of the authorization request, at the logout endpoint."""
    request = REQUEST
    url = logout_and_login_url(end_session_endpoint="https://a/logout", client_id="1example23456789", request=request)
    assert url.startswith("https://a/logout?")
    assert url.partition("?")[2] == request.url.partition("?")[2]
