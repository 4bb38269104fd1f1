"""The servers that stores are tested against: a real Redis, and moto's DynamoDB."""
# ruff: noqa: ANN401 - boto3 makes the classes of its clients when it runs

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from benchmarks import redis_server
from benchmarks.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

# The URL of an empty database of a Redis or Valkey that is running, such as the one that .ci/run starts.
VARIABLE = "COGNITO_OIDC_REDIS_URL"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Give the URL of a Redis that is there for all tests."""
    if VARIABLE in os.environ:
        yield os.environ[VARIABLE]
        return
    need_redis_server()
    with RedisServer() as server:
        yield server.url


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """Give a Redis that a test may stop and start."""
    need_redis_server()
    with RedisServer(persistent=True) as server:
        yield server


def need_redis_server() -> None:
    """Skip where there is no Redis to start; in CI there must be one."""
    if os.environ.get("CI") != "true" and not redis_server.installed():
        pytest.skip("no redis-server here; Debian and Ubuntu: apt-get install redis-server")


class SerialClient:
    """A client of DynamoDB that sends one request at a time, since moto's writes are not atomic across threads."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.requests: list[str] = []
        self._one_at_a_time = threading.Lock()

    def get_item(self, **arguments: object) -> Any:
        with self._one_at_a_time:
            self.requests.append("get_item")
            return self.client.get_item(**arguments)

    def update_item(self, **arguments: object) -> Any:
        with self._one_at_a_time:
            self.requests.append("update_item")
            return self.client.update_item(**arguments)


@pytest.fixture(scope="session")
def dynamodb_endpoint() -> Iterator[str]:
    """Give the address of moto's DynamoDB."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def dynamodb(dynamodb_endpoint: str) -> SerialClient:
    """Give a client of an account with the table `sessions`, as the guide defines it."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=dynamodb_endpoint,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.create_table(
        TableName="sessions",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return SerialClient(client)
