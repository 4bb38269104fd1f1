"""Token sets in a DynamoDB table: how Lambdas and other workers in AWS share sessions.

Decides which items, attributes and conditions are used. What is shared with other stores of fleets is in `_leases`.

A session and its lease are two items, so that whoever waits for the lease writes the least unit again and again:

    pk "{prefix}#{digest}#session": revision, text, written (the fence of the last who wrote under a lease), expires_at
    pk "{prefix}#{digest}#lease": owner, lasts (seconds), until, fence (the last number that was given), expires_at
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio.to_thread

from cognito_oidc.errors import ConfigurationError, StoreError, clean_server_text
from cognito_oidc.integrations.stores._leases import LEASE, MEMORY, TTL, Answer, LeasedTokenStore

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as _missing:
    raise ImportError(
        "cognito_oidc.integrations.stores.dynamodb needs boto3: `pip install 'cognito-oidc[aws]'`",
        name="boto3",
    ) from _missing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_oidc.integrations.stores._record_text import EncryptionKeys

__all__ = ["DynamoDBTokenStore"]

T = TypeVar("T")
Value = dict[str, str]  # of an attribute: its type, and the value as text

_KEY: Final = "pk"
_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}, tcp_keepalive=True
)
# By how much the clocks of two workers may differ before a lease can be taken from a holder that is alive and was not
# watched. Amazon Time Sync keeps them within milliseconds.
_SKEW: Final = 60.0
_REFUSED: Final = "ConditionalCheckFailedException"
_HINTS: Final = {
    "ResourceNotFoundException": " There is no such table in this account and Region.",
    "AccessDeniedException": " The role needs dynamodb:GetItem and dynamodb:UpdateItem on the table.",
}


class DynamoDBTokenStore(LeasedTokenStore):
    """Token sets in a DynamoDB table, shared by every worker whose role may read and write it.

    Reads are strongly consistent, comparing and swapping is one conditional write, and the lock is a lease with
    fencing. boto3 is called in threads, so it runs on asyncio and trio. The table has the partition key `pk`, a string,
    no sort key, and `expires_at` as its TTL attribute; the role needs `dynamodb:GetItem` and `dynamodb:UpdateItem`.

    DynamoDB has no clock to ask. A holder counts as dead when a waiting worker has seen it hold the lease for as long
    as a lease is, by its own monotonic clock; or when it should have ended a minute ago. Clocks that differ by less do
    no harm.

    Args:
        table_name: The table's name or ARN.
        encryption_keys: Keys of 32 bytes, or their base64url, newest first, that values are encrypted with. With none
            they are only as secret as the table, which AWS encrypts at rest.
        client: A boto3 client of DynamoDB, such as one of another Region or account. By default one is made at the
            first request, from what boto3 finds: environment, role, configuration.
        prefix: What partition keys begin with, so that applications can share a table.
        ttl: Seconds without a write after which DynamoDB may delete a session: no less than the refresh token's life.
            The default is Cognito's, 30 days.
        lease: Seconds after which a holder counts as dead, and the next one refreshes.
        clock: Returns the time in epoch seconds.

    Raises:
        ConfigurationError: An argument cannot be used.

    Source: AWS, "DynamoDB condition expressions", "DynamoDB read consistency", "Using time to live in DynamoDB".
    """

    def __init__(
        self,
        table_name: str,
        *,
        encryption_keys: EncryptionKeys = (),
        client: Any | None = None,  # noqa: ANN401 - boto3 makes the classes of its clients when it runs
        prefix: str = "cognito-oidc",
        ttl: float = TTL,
        lease: float = LEASE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(encryption_keys=encryption_keys, ttl=ttl, lease=lease)
        if not isinstance(table_name, str) or not table_name:
            raise ConfigurationError("DynamoDBTokenStore: expected the name of a table.")
        self._table = table_name
        self._prefix = prefix
        self._clock = clock
        self._made = client
        self._making = threading.Lock()

    def __repr__(self) -> str:
        return f"DynamoDBTokenStore({self._table!r}, prefix={self._prefix!r})"

    async def _fetch(self, name: str) -> tuple[str, str] | None:
        def fetch() -> tuple[str, str] | None:
            answer = self._client().get_item(
                TableName=self._table,
                Key=self._item_key(name, "session"),
                ConsistentRead=True,
                ProjectionExpression="#revision, #text",
                ExpressionAttributeNames={"#revision": "revision", "#text": "text"},
            )
            revision, text = (_string(answer.get("Item", {}), each) for each in ("revision", "text"))
            return None if revision is None else (revision, text or "")

        return await self._ask(fetch)

    async def _exchange(
        self, name: str, *, new: tuple[str, str] | None, expected: str | None, fence: int | None
    ) -> bool:
        now = self._clock()
        names = {"#revision": "revision", "#text": "text", "#expires": "expires_at"}
        values: dict[str, Value] = {":expires": _number(now + (MEMORY if new is None else self._ttl))}
        update = "SET #expires = :expires"
        if fence is not None:
            names["#written"] = "written"
            values[":fence"] = _number(fence)
            update += ", #written = :fence"
        if new is None:
            # What remains remembers the fence for a while: who held the lease before must not write into the void.
            update += " REMOVE #revision, #text"
        else:
            values |= {":revision": {"S": new[0]}, ":text": {"S": new[1]}}
            update += ", #revision = :revision, #text = :text"
        if expected is not None:
            values[":expected"] = {"S": expected}
            condition = "#revision = :expected"
        elif fence is None:
            condition = "attribute_not_exists(#revision)"
        else:
            condition = "attribute_not_exists(#revision) AND (attribute_not_exists(#written) OR #written <= :fence)"

        def exchange() -> bool:
            there = self._update(self._item_key(name, "session"), update, condition, names, values)[1]
            # None: it was written. And a write that was sent again, since its answer was lost, finds itself.
            return there is None or (new is not None and _string(there, "revision") == new[0])

        return await self._ask(exchange)

    async def _acquire(self, name: str, owner: str, dead: str) -> Answer:
        now = self._clock()
        names = {"#owner": "owner", "#lasts": "lasts", "#until": "until", "#fence": "fence", "#expires": "expires_at"}
        values = {
            ":owner": {"S": owner},
            ":dead": {"S": dead or owner},
            ":lasts": _number(self._lease),
            ":until": _number(now + self._lease),
            ":over": _number(now - _SKEW),
            # After DynamoDB has deleted the item, numbers go on above all earlier ones: they grow slower than time.
            ":first": _number(now * 1000),
            ":one": _number(1),
            ":expires": _number(now + MEMORY),
        }
        update = (
            "SET #owner = :owner, #lasts = :lasts, #until = :until, #expires = :expires, "
            "#fence = if_not_exists(#fence, :first) + :one"
        )
        condition = "attribute_not_exists(#owner) OR #owner IN (:owner, :dead) OR #until < :over"

        def acquire() -> Answer:
            kept, there = self._update(self._item_key(name, "lease"), update, condition, names, values)
            if there is None:
                return Answer(int(kept["fence"]["N"]))
            return Answer(None, float(there["lasts"]["N"]), _string(there, "owner") or "")

        return await self._ask(acquire)

    async def _release(self, name: str, owner: str) -> None:
        def release() -> None:
            key = self._item_key(name, "lease")
            self._update(key, "REMOVE #owner", "#owner = :owner", {"#owner": "owner"}, {":owner": {"S": owner}})

        await self._ask(release)

    def _item_key(self, name: str, what: str) -> dict[str, Value]:
        return {_KEY: {"S": f"{self._prefix}#{name}#{what}"}}

    def _update(
        self,
        key: Mapping[str, Value],
        update: str,
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, Value],
    ) -> tuple[Mapping[str, Value], Mapping[str, Value] | None]:
        """Write on a condition; return what is kept now, and None or, where it did not hold, what is there."""
        try:
            answer = self._client().update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _REFUSED:
                raise
            return {}, error.response.get("Item", {})
        return answer.get("Attributes", {}), None

    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes the classes of its clients when it runs
        with self._making:  # boto3's default session is not safe to make clients with in several threads at once
            if self._made is None:
                self._made = boto3.client("dynamodb", config=_CONFIG)
            return self._made

    async def _ask(self, request: Callable[[], T]) -> T:
        """Run one request in a thread; what goes wrong is a StoreError. A cancelled caller waits for its end."""
        try:
            return await anyio.to_thread.run_sync(request)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            reason = clean_server_text(error.response["Error"].get("Message")) or "no reason given"
            raise StoreError(f"{self!r}: {code}: {reason}{_HINTS.get(code, '')}") from None
        except (BotoCoreError, OSError) as error:
            raise StoreError(f"{self!r}: {type(error).__name__}: {clean_server_text(str(error))}") from None


def _number(value: float) -> Value:
    return {"N": str(round(value))}


def _string(item: Mapping[str, Value], name: str) -> str | None:
    return item.get(name, {}).get("S")
