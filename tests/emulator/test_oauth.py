from collections.abc import Mapping

import pytest

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
from tests.emulator.support import CALLBACK, SECRET, TOKEN, basic, emulator_with_web, exchange, get_code, outcome

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        pytest.param({"content-type": "application/json"}, b"{}", 405, id="JSON"),
        pytest.param({}, b"", 405, id="no content type"),
        pytest.param(
            {"content-type": "application/x-www-form-urlencoded"}, b'{"grant_type":"x"}', 400, id="labelled JSON"
        ),
        pytest.param(
            {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"},
            b"grant_type=x",
            400,
            id="with charset",
        ),
        pytest.param({"content-type": "application/x-www-form-urlencoded"}, b"&".join([b"a=1"] * 500), 400, id="flood"),
    ],
)
async def test_only_forms_are_read(
    aws: CognitoEmulator, pool: EmulatedPool, headers: dict[str, str], content: bytes, status: int
) -> None:
    """Another content type is 405 with an empty body."""
    async with aws.http_client() as http:
        answer = await http.post(TOKEN, headers=headers, content=content)
        wrong_method = await http.get(TOKEN)
    assert (answer.status_code, bool(answer.content)) == (status, status == 400)
    assert wrong_method.status_code == 405


@pytest.mark.parametrize(
    ("headers", "form", "status"),
    [
        pytest.param({}, {"client_secret": SECRET}, 200, id="post"),
        pytest.param("basic", {"client_id": None, "client_secret": None}, 200, id="basic"),
        pytest.param("basic", {"client_secret": None}, 200, id="basic and the same client in the form"),
        pytest.param("basic", {"client_id": "other", "client_secret": None}, 400, id="basic and another client"),
        pytest.param({}, {"client_secret": None}, 400, id="no secret"),
        pytest.param({}, {"client_secret": "wrong"}, 400, id="wrong secret"),
        pytest.param({"Authorization": "Basic ???"}, {"client_secret": None}, 400, id="no base64"),
        pytest.param({"Authorization": "Basic YWJj"}, {"client_secret": None}, 400, id="no colon"),
        pytest.param({"Authorization": "Bearer YTpi"}, {"client_secret": None}, 400, id="another scheme"),
    ],
)
async def test_a_client_with_a_secret_must_send_it(
    aws: CognitoEmulator,
    confidential: EmulatedAppClient,
    headers: Mapping[str, str] | str,
    form: dict[str, str | None],
    status: int,
) -> None:
    """Basic and the form are both taken, and everything else is `invalid_client`."""
    sent = basic(confidential.client_id, SECRET) if isinstance(headers, str) else headers
    async with aws.http_client() as http:
        http.headers.update(sent)
        answer = await exchange(http, confidential, await get_code(aws, confidential), **form)
    assert answer.status_code == status
    assert answer.json().get("error") in {None, "invalid_client"}


async def test_basic_with_an_empty_secret_is_no_public_client(aws: CognitoEmulator, web: EmulatedAppClient) -> None:
    """A public client says who it is in the form only."""
    async with aws.http_client() as http:
        http.headers.update(basic(web.client_id, ""))
        answer = await exchange(http, web, await get_code(aws, web))
    assert outcome(answer) == (400, {"error": "invalid_client"})


async def test_both_secrets_are_good_until_one_is_removed(
    aws: CognitoEmulator, confidential: EmulatedAppClient
) -> None:
    """A client has two live secrets while it rotates them."""
    new = confidential.add_secret()
    async with aws.http_client() as http:
        before = [
            (await exchange(http, confidential, await get_code(aws, confidential), client_secret=secret)).status_code
            for secret in (SECRET, new)
        ]
        confidential.remove_secret(SECRET)
        after = await exchange(http, confidential, await get_code(aws, confidential), client_secret=SECRET)
    assert before == [200, 200]
    assert outcome(after) == (400, {"error": "invalid_client", "error_description": "invalid_client_secret"})


async def test_invalid_client_follows_its_switches() -> None:
    """Status and description are not known, so they can be chosen."""
    aws, client = emulator_with_web(invalid_client_status=401, invalid_client_description=None)
    confidential = client.pool.add_client("shop", redirect_uris=[CALLBACK], client_secret=True)
    async with aws.http_client() as http:
        answer = await exchange(http, confidential, "x", client_secret="wrong")
    assert outcome(answer) == (401, {"error": "invalid_client"})
