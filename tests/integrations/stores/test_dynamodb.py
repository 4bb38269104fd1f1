"""Sessions in DynamoDB, as moto's server has it: conditions, leases without a clock to ask, and failures."""
# ruff: noqa: ANN401 - boto3 makes the classes of its clients when it runs

from __future__ import annotations

import json
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

import anyio
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cognito_oidc.errors import ConfigurationError, StoreError
from cognito_oidc.integrations.stores import _leases
from cognito_oidc.integrations.stores.dynamodb import DynamoDBTokenStore
from cognito_oidc.testing import TokenStoreConformance
from tests.dynamodb_server import GUIDE, client_of, table_of_the_guide
from tests.integrations.stores.records import CANARY, NOW, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integrations.stores.conftest import SerialClient

pytestmark = pytest.mark.anyio


class TestConformance(TokenStoreConformance):
    """What every store must do."""

    @pytest.fixture(params=[(), (b"k" * 32,)], ids=["plain", "encrypted"])
    def open_token_store(
        self, dynamodb: SerialClient, prefix: str, request: pytest.FixtureRequest
    ) -> Callable[[], DynamoDBTokenStore]:
        return lambda: DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix, encryption_keys=request.param)


@pytest.fixture
def prefix() -> str:
    """Give the test's own part of the table."""
    return secrets.token_hex(4)


def items(dynamodb: SerialClient, prefix: str) -> dict[str, dict[str, Any]]:
    """What is in the table, by the last part of the key."""
    found = dynamodb.client.scan(TableName="sessions")["Items"]
    return {one["pk"]["S"].rpartition("#")[2]: one for one in found if one["pk"]["S"].startswith(f"{prefix}#")}


async def test_items_are_what_the_guide_says(dynamodb: SerialClient, prefix: str) -> None:
    """Two items, each with a time after which DynamoDB deletes it, and no name of a person in their keys."""
    store = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix, clock=lambda: NOW)
    async with store.lock("ann@example.com", timeout=1):
        await store.swap("ann@example.com", record(), expected=None)
        found = items(dynamodb, prefix)
    assert set(found) == {"session", "lease"}
    assert int(found["session"]["expires_at"]["N"]) == NOW + 30 * 86_400
    assert int(found["lease"]["expires_at"]["N"]) == NOW + 86_400
    assert not any("ann" in one["pk"]["S"] for one in found.values())


async def test_two_permissions_are_enough(dynamodb: SerialClient, prefix: str) -> None:
    """The role needs GetItem and UpdateItem, and nothing else."""
    store, one = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix), record()
    dynamodb.requests.clear()
    async with store.lock("ann", timeout=1):
        await store.swap("ann", one, expected=None)
        assert await store.read("ann") == one
        assert await store.swap("ann", None, expected=one)
    assert set(dynamodb.requests) == {"get_item", "update_item"}


async def test_write_that_is_sent_twice_is_done_once(dynamodb: SerialClient, prefix: str) -> None:
    """Where the answer was lost botocore sends again: the second time finds its own record, and that is a success."""
    store, one = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix), record()
    assert await store.swap("ann", one, expected=None)
    assert await store.swap("ann", one, expected=None)


@pytest.mark.parametrize("hours", [-3, 0, 3], ids="{}h".format)
async def test_dead_holder_is_relieved_within_its_lease_whatever_its_clock_said(
    dynamodb: SerialClient, prefix: str, hours: int
) -> None:
    """A holder whose clock was hours off died: who waits takes the lease when it has seen it for as long as it is."""

    def off() -> float:
        return time.time() + hours * 3600

    dead = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix, lease=1, clock=off)
    await dead._acquire(_leases._name_of("ann"), "who dies", "")
    begun = time.monotonic()
    async with DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix).lock("ann", timeout=30):
        waited = time.monotonic() - begun
    assert waited < 25
    if hours >= 0:
        assert waited >= 1


async def test_clocks_a_little_apart_take_no_lease_from_the_living(dynamodb: SerialClient, prefix: str) -> None:
    """A worker whose clock is half a minute ahead does not think that a lease of this moment is over."""
    slow = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix, lease=10)
    ahead = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix, clock=lambda: time.time() + 40)
    async with slow.lock("ann", timeout=1):
        with pytest.raises(StoreError) as caught:
            await ahead.lock("ann", timeout=0.5).__aenter__()
    assert caught.value.code == "store_locked"


async def test_lease_of_long_ago_is_nothing(dynamodb: SerialClient, prefix: str) -> None:
    """A Lambda that lives for a second need not watch a lease whose holder died minutes ago."""
    dead = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix, clock=lambda: time.time() - 120)
    await dead._acquire(_leases._name_of("ann"), "who dies", "")
    async with DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix).lock("ann", timeout=0):
        pass


async def test_late_holder_saves_in_place_of_what_it_has_read_and_cannot_undo_a_sign_out(
    dynamodb: SerialClient, prefix: str
) -> None:
    """A holder whose lease has ended may replace the record it read; where the next has deleted it, it may not."""
    late = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix, lease=1)
    next_one = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix)
    old, new = record("old"), record("new")
    async with late.lock("ann", timeout=1):
        await late.swap("ann", old, expected=None)
        async with next_one.lock("ann", timeout=5):
            assert await late.swap("ann", new, expected=old)
            assert not await next_one.swap("ann", record(), expected=old)
            assert await next_one.swap("ann", None, expected=new)
        assert not await late.swap("ann", record(), expected=None)
        assert await late.read("ann") is None
    async with next_one.lock("ann", timeout=1):  # whoever signs in after that may
        assert await next_one.swap("ann", record(), expected=None)


async def test_fences_grow_after_dynamodb_has_deleted_the_lease(dynamodb: SerialClient, prefix: str) -> None:
    """When its time to live has taken the item away, the next lease is still later than all before."""
    store = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix)
    name = _leases._name_of("ann")
    async with store.lock("ann", timeout=1):
        before = store._fences[name]
        await store.swap("ann", record(), expected=None)
    dynamodb.client.delete_item(TableName="sessions", Key=store._item_key(name, "lease"))
    await anyio.sleep(0.01)
    async with store.lock("ann", timeout=1):
        assert store._fences[name] > before


async def test_one_of_many_swaps_wins(dynamodb: SerialClient, prefix: str) -> None:
    """Of twenty workers that expect the same, one writes."""
    stores = [DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix) for _ in range(20)]
    won: list[bool] = []

    async def swap(store: DynamoDBTokenStore) -> None:
        won.append(await store.swap("ann", record(), expected=None))

    async with anyio.create_task_group() as tasks:
        for store in stores:
            tasks.start_soon(swap, store)
    assert sorted(won) == [False] * 19 + [True]


async def test_encrypted_value_says_nothing_and_belongs_to_its_key(dynamodb: SerialClient, prefix: str) -> None:
    """What is in the table shows no token; pasted under another person's key it is refused, and thrown away."""
    key = secrets.token_bytes(32)
    store = DynamoDBTokenStore("sessions", client=dynamodb, prefix=prefix, encryption_keys=[key])
    await store.swap("ann", record(), expected=None)
    anns = items(dynamodb, prefix)["session"]
    assert CANARY not in str(anns)
    dynamodb.client.put_item(TableName="sessions", Item={**anns, **store._item_key(_leases._name_of("bob"), "session")})
    with pytest.raises(StoreError) as caught:
        await store.read("bob")
    assert caught.value.code == "store_damaged"
    assert await store.read("bob") is None
    assert await store.swap("bob", record(), expected=None)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param("ProvisionedThroughputExceededException", "ProvisionedThroughputExceeded", id="throttled"),
        pytest.param("ThrottlingException", "ThrottlingException", id="account-throttled"),
        pytest.param("AccessDeniedException", "needs dynamodb:GetItem and dynamodb:UpdateItem", id="no-permission"),
        pytest.param("InternalServerError", "InternalServerError", id="aws-is-down"),
    ],
)
async def test_refusal_is_a_store_error(code: str, said: str) -> None:
    """Whatever DynamoDB refuses with, also because it is asked too often, is told as a StoreError."""

    class Refusing:
        def get_item(self, **arguments: object) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetItem")

    with pytest.raises(StoreError, match=said) as caught:
        await DynamoDBTokenStore("sessions", client=Refusing()).read("ann")
    assert caught.value.retryable


async def test_table_that_is_missing_is_named(dynamodb: SerialClient) -> None:
    """A slip in the table's name is told in words."""
    with pytest.raises(StoreError, match="no such table in this account and Region"):
        await DynamoDBTokenStore("session", client=dynamodb).read("ann")


async def test_dynamodb_that_is_not_there_is_a_store_error(aws_environment: dict[str, str]) -> None:
    """No connection is told as a StoreError."""
    nowhere = {**aws_environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    client = client_of(nowhere, config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(StoreError, match="EndpointConnectionError"):
        await DynamoDBTokenStore("sessions", client=client).read("ann")


async def test_client_is_made_at_the_first_request(
    monkeypatch: pytest.MonkeyPatch, aws_environment: dict[str, str], prefix: str
) -> None:
    """Without a client one is made of what boto3 finds, once, and not in the constructor."""
    for name, value in aws_environment.items():
        monkeypatch.setenv(name, value)
    made: list[object] = []
    real = boto3.client

    def counted(*arguments: Any, **more: Any) -> Any:
        made.append(arguments)
        return real(*arguments, **more)

    monkeypatch.setattr(boto3, "client", counted)
    store = DynamoDBTokenStore("sessions", prefix=prefix)
    assert made == []
    assert await store.read("ann") is None
    assert await store.read("ann") is None
    assert made == [("dynamodb",)]


def test_table_needs_a_name() -> None:
    """No name of a table is found before any request."""
    with pytest.raises(ConfigurationError, match="name of a table"):
        DynamoDBTokenStore("")


def test_guide_says_what_is_needed() -> None:
    """The role of the guide may do what the store does, and no more; and the right attribute ends items."""
    policy = re.search(r"^```json\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert policy is not None
    assert json.loads(policy[1])["Statement"][0]["Action"] == ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    assert table_of_the_guide()["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
