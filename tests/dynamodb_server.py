"""DynamoDB as moto's server has it, on a free port of loopback, with a table as `docs/guide/fleets.md` defines it."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import yaml  # type: ignore[import-untyped]
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE: Final = Path(__file__).parent.parent / "docs" / "guide" / "fleets.md"


def table_of_the_guide() -> dict[str, Any]:
    """Return the properties of the table in the guide's CloudFormation."""
    found = re.search(r"^```yaml\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None
    properties: dict[str, Any] = yaml.safe_load(found[1])["Tokens"]["Properties"]
    return properties


@contextmanager
def dynamodb(table: str) -> Iterator[dict[str, str]]:
    """Serve until the end of the block; give the environment that boto3 finds it by."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    try:
        create_table(environment, table)
        yield environment
    finally:
        server.stop()


def create_table(environment: dict[str, str], table: str) -> None:
    """Create the table, unless it is there: whoever else uses moto in this process may have emptied it."""
    client = client_of(environment)
    if table in client.list_tables()["TableNames"]:
        return
    properties = table_of_the_guide()
    time_to_live = properties.pop("TimeToLiveSpecification")
    client.create_table(TableName=table, **properties)
    client.update_time_to_live(TableName=table, TimeToLiveSpecification=time_to_live)


def client_of(environment: dict[str, str], **more: Any) -> Any:  # noqa: ANN401 - boto3 makes its classes when it runs
    """Return a client of it."""
    return boto3.client(
        "dynamodb",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        **more,
    )
