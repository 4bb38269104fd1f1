import subprocess
import sys

import pytest

from cognito_oidc.emulator import CognitoEmulator
from tests.emulator.support import DOMAIN, ISSUER, POOL_ID


@pytest.mark.parametrize(
    ("url", "served"),
    [
        pytest.param(f"{DOMAIN}/login?x=1", True, id="domain"),
        pytest.param(f"{ISSUER}/.well-known/jwks.json", True, id="issuer"),
        pytest.param("https://login.acme.com/logout", True, id="custom domain"),
        pytest.param("https://app.example/cb", False, id="application"),
        pytest.param("http://127.0.0.1:9229/orders/login", False, id="a server that does not run"),
        pytest.param("myapp://orders", False, id="scheme of an application"),
    ],
)
def test_the_emulator_knows_its_own_addresses(aws: CognitoEmulator, url: str, served: bool) -> None:
    """A redirect elsewhere leaves the emulator."""
    aws.add_pool(POOL_ID, domain="orders", custom_domain="login.acme.com")
    assert aws.serves(url) is served


@pytest.mark.anyio
async def test_the_emulator_is_a_context() -> None:
    """Entering gives the emulator itself."""
    aws = CognitoEmulator()
    async with aws as entered:
        assert entered is aws
    assert repr(aws) == "CognitoEmulator(pools=[])"


@pytest.mark.parametrize("missing", ["jinja2", "starlette"])
def test_a_missing_framework_names_the_extra(missing: str) -> None:
    """Without its extra the emulator says what to install."""
    program = f"import sys; sys.modules[{missing!r}] = None\nimport cognito_oidc.emulator"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'cognito-oidc[emulator]'" in result.stderr.splitlines()[-1]


@pytest.mark.anyio
async def test_a_missing_server_names_the_extra(aws: CognitoEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uvicorn is needed for `serve` only, which then says what to install."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r"cognito-oidc\[emulator\]"):
        async with aws.serve():
            pass
