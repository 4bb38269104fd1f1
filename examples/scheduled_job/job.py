"""A job that cron or a scheduler starts: it calls an API in its own name, and ends.

Each run is a process of its own. The store keeps the machine's token between them, so that it is asked for, and paid
for, once an hour and not once a run.
"""

import asyncio
import base64
import os
import sys
from urllib.parse import urlsplit

import httpx

from cognito_oidc import CognitoClient, UserPool
from cognito_oidc.errors import CognitoOidcError
from cognito_oidc.integrations.httpx_auth import BearerAuth
from cognito_oidc.integrations.stores.file import FileTokenStore


async def main() -> int:
    """Count the orders; return the exit code."""
    settings = os.environ
    pool = UserPool(
        settings["COGNITO_POOL_ID"],
        domain=settings["COGNITO_DOMAIN"],
        endpoint_url=settings.get("COGNITO_ENDPOINT_URL"),  # a local Cognito; yours is at AWS, and has none
    )
    client = CognitoClient(
        pool, client_id=settings["COGNITO_CLIENT_ID"], client_secret=settings["COGNITO_CLIENT_SECRET"]
    )
    store = FileTokenStore(settings["JOB_FOLDER"], encryption_keys=[base64.b64decode(settings["JOB_KEY"])])
    source = client.client_credentials_source(["orders/read"], store=store)
    api = settings["JOB_API"]
    try:
        async with (
            client,
            httpx.AsyncClient(base_url=api, auth=BearerAuth(source, hosts={urlsplit(api).netloc})) as http,
        ):
            answer = await http.get("/orders")
            answer.raise_for_status()
    except (CognitoOidcError, httpx.HTTPError) as error:
        print(f"The orders could not be counted: {error}", file=sys.stderr)
        return 1
    print(f"{len(answer.json())} orders are open.")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
