"""The servers that stores are tested against: a real Redis, and moto's DynamoDB."""
# ruff: noqa: ANN401 - boto3 makes the classes of its clients when it runs

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import redis_server
from benchmarks.redis_server import RedisServer
from tests import dynamodb_server

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
def aws_environment() -> Iterator[dict[str, str]]:
    """Give the environment by which boto3 finds a DynamoDB with the table `sessions`."""
    with dynamodb_server.dynamodb("sessions") as environment:
        yield environment


@pytest.fixture
def dynamodb(aws_environment: dict[str, str]) -> SerialClient:
    """Give a client of it."""
    dynamodb_server.create_table(aws_environment, "sessions")
    return SerialClient(dynamodb_server.client_of(aws_environment))
