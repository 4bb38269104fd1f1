import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedPool
from tests.emulator.support import DOMAIN

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        pytest.param("/oauth2/token", True, id="token"),
        pytest.param("/oauth2/revoke", True, id="revoke"),
        pytest.param("/oauth2/userInfo", True, id="userInfo"),
        pytest.param("/oauth2/authorize", False, id="authorize"),
        pytest.param("/login", False, id="login"),
        pytest.param("/logout", False, id="logout"),
    ],
)
async def test_other_origins_may_call_three_endpoints(
    aws: CognitoEmulator, pool: EmulatedPool, path: str, allowed: bool
) -> None:
    """CORS is open on token, revoke and userInfo only."""
    async with aws.http_client() as http:
        answer = await http.options(DOMAIN + path, headers={"Origin": "https://app.example"})
    assert (answer.status_code == 200) is allowed
    assert ("access-control-allow-origin" in answer.headers) is allowed
