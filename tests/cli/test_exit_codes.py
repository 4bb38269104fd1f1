import pytest

from cognito_oidc import errors
from cognito_oidc.cli.exit_codes import ExitCode, exit_code_of
from cognito_oidc.errors import CognitoOidcError


def oauth(kind: type[errors.OAuthError], error: str) -> errors.OAuthError:
    """Return what the token endpoint's refusal becomes."""
    return kind("refused", error=error, description=None, status=400)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(errors.LoginRequiredError("nobody is signed in"), 3, id="login"),
        pytest.param(oauth(errors.InvalidGrantError, "invalid_grant"), 4, id="dead-grant"),
        pytest.param(oauth(errors.OAuthError, "invalid_request"), 4, id="refused"),
        pytest.param(oauth(errors.OAuthError, "unauthorized_client"), 6, id="grant-not-enabled"),
        pytest.param(oauth(errors.OAuthError, "invalid_scope"), 6, id="scope-not-enabled"),
        pytest.param(oauth(errors.InvalidClientError, "invalid_client"), 6, id="wrong-secret"),
        pytest.param(oauth(errors.RateLimitedError, "slow_down"), 5, id="slow-down"),
        pytest.param(errors.AuthorizationDeniedError("no", error="access_denied", description=None), 4, id="denied"),
        pytest.param(errors.AuthorizationDeniedError("no", error="invalid_scope", description=None), 6, id="scope"),
        pytest.param(errors.StateMismatchError("another", reason="state"), 4, id="state"),
        pytest.param(errors.CallbackError("no code", reason="code"), 4, id="callback"),
        pytest.param(errors.TransportError("no answer", sent="no", endpoint="token"), 5, id="transport"),
        pytest.param(errors.KeysNotLoadedError("no keys"), 5, id="keys"),
        pytest.param(errors.ConfigurationError("no domain"), 6, id="configuration"),
        pytest.param(errors.StoreError("no keyring"), 6, id="store"),
        pytest.param(errors.ProtocolError("no JSON"), 1, id="protocol"),
        pytest.param(errors.InvalidSignatureError("forged"), 1, id="token"),
    ],
)
def test_every_error_has_its_exit_code(error: CognitoOidcError, code: int) -> None:
    """A script knows from the number who has to act: a person, the server, the network, or who wrote the settings."""
    assert exit_code_of(error) == code


def test_numbers_are_promised() -> None:
    """The numbers stand in the documentation and in other people's scripts."""
    assert {each.name: int(each) for each in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "LOGIN_NEEDED": 3,
        "DENIED": 4,
        "NETWORK": 5,
        "CONFIGURATION": 6,
        "INTERRUPTED": 130,
    }
