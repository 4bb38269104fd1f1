"""What a token request costs beside a bare post of the same form on the same HTTP client, and beside others.

    python -m benchmarks.token_endpoint --publish

The token endpoint is the least there can be, on loopback, in a process of its own (`benchmarks/token_server.py`): what
is measured is the client. 1, 50 or 200 requests start at once, wave after wave, each HTTP client with as many
connections; who keeps one HTTP client keeps it. Everybody in one run, interleaved.
"""

from __future__ import annotations

import asyncio
import random
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from functools import partial
from importlib import import_module
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from authlib.integrations.httpx_client import AsyncOAuth2Client
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from httpx_oauth.oauth2 import OAuth2

from benchmarks import node
from benchmarks.drawing import Bar, bars
from benchmarks.shared import (
    CLIENT_ID,
    ISSUER,
    NONCE,
    OURS,
    POOL_ID,
    Json,
    access_token,
    id_token,
    key_set,
    machine,
    machine_line,
    mapping,
    rsa_key,
    run,
    table,
)
from benchmarks.token_server import serving
from cognito_oidc import CognitoClient, TokenVerifier, UserPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from types import ModuleType

Call = Callable[[], Awaitable[object]]
Case = Callable[[int], Awaitable[float]]

GOAL: Final = 1.15
LIBRARIES: Final = ("httpx", "httpx2")
TITLES: Final = {
    "client_credentials": "client credentials",
    "refresh_token": "refresh",
    "authorization_code": "code",
    "refresh_token+id": "refresh, with an ID token",
    "authorization_code+id": "code, with an ID token",
}
CONCURRENT: Final = {1: (60, 30), 50: (11, 1), 200: (3, 1)}  # how many at once -> rounds, and waves in each
LONGEST_TURN: Final = 0.05  # seconds of a case in a round, where one wave does not take longer
KEEPALIVE: Final = 600.0  # seconds
AUTHLIB: Final = "Authlib"
AUTHLIBS: Final = next(base.__module__.partition(".")[0] for base in AsyncOAuth2Client.__mro__[2:])
HTTPX_OAUTH: Final = "httpx-oauth"
MOST_OF_HTTPX_OAUTH: Final = 1  # at once: each request makes a TLS context, tens of milliseconds
AND_VERIFIED: Final = "+verification"
NODES: Final = ("fetch", "oauth4webapi", "openid-client")
PACKAGES: Final = ("httpx", "httpx2", "Authlib", "httpx-oauth")
SECRET: Final = "s" * 52
SCOPE: Final = "orders/read"
REDIRECT_URI: Final = "https://app.example.com/callback"
CODE: Final = "6f1c3a52-8c0e-4d0b-9a43-5a0d8f6f1c3a"
REFRESH_TOKEN: Final = "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ." + "r" * 1500


def measure(quick: bool) -> Json:  # noqa: FBT001 - the one switch of every benchmark
    """Time everybody at every number of requests at once."""
    plan = {1: (3, 2), 8: (3, 1)} if quick else CONCURRENT
    with ExitStack() as stack:
        urls = {suffix: stack.enter_context(serving(answers(suffix))) for suffix in ("", "+id")}
        npm = None if quick else stack.enter_context(node.libraries(node.CLIENTS))
        process = None if npm is None else stack.enter_context(node.Node(npm, script="clients.mjs"))
        more = {} if process is None else {"Node.js": node.version(), **node.CLIENTS}
        cases = {str(count): asyncio.run(times(urls, process, count, *plan[count])) for count in plan}
    return {"machine": machine(PACKAGES, **more), "unit": "microseconds per request", "cases": cases}


def answers(suffix: str) -> Json:
    """Return what the endpoint says to each grant: with the suffix `+id`, with an ID token."""
    tokens = {"access_token": access_token(), "expires_in": 3600, "token_type": "Bearer"}
    of_a_person = {**tokens, "id_token": id_token()} if suffix else tokens
    return {
        "client_credentials": tokens,
        "refresh_token": of_a_person,
        "authorization_code": {**of_a_person, "refresh_token": REFRESH_TOKEN},
    }


async def times(urls: Mapping[str, str], process: node.Node | None, concurrency: int, rounds: int, waves: int) -> Json:
    """Return what everybody takes for a request when so many start at once: medians and minima, microseconds."""
    async with AsyncExitStack() as stack:
        cases = {}
        for suffix, url in urls.items():
            async for name, call in calls(url, suffix, concurrency, stack):
                cases[name] = in_waves(call, concurrency)
            if process is not None:
                process.ask("configure", suffix=suffix, **setting_of_node(url))
                names = [f"{who} {grant}" for who in NODES for grant in TITLES if grant in grants(suffix)]
                cases |= {name: in_node(process, name, concurrency) for name in names}
        counts = {}
        for name, case in cases.items():
            await case(1)
            counts[name] = max(1, min(waves, round(LONGEST_TURN / await case(1))))
        seconds: dict[str, list[float]] = {name: [] for name in cases}
        order = list(cases)
        shuffle = random.Random(1)  # noqa: S311 - the order of cases
        for _ in range(rounds):
            shuffle.shuffle(order)
            for name in order:
                seconds[name].append(await cases[name](counts[name]) / counts[name] / concurrency)
    return {
        name: {"median": round(median(found) * 1e6, 1), "minimum": round(min(found) * 1e6, 1)}
        for name, found in seconds.items()
    }


def grants(suffix: str) -> tuple[str, ...]:
    """Return the grants that are tried at the endpoint which does, or does not, give ID tokens."""
    return tuple(grant for grant in TITLES if grant.endswith("+id") == bool(suffix))


def in_waves(call: Call, concurrency: int) -> Case:
    """Return what makes that many calls at once, so many times, and tells the seconds."""

    async def seconds_for(waves: int) -> float:
        begun = time.perf_counter()
        for _ in range(waves):
            if concurrency == 1:
                await call()
            else:
                await asyncio.gather(*(call() for _ in range(concurrency)))
        return time.perf_counter() - begun

    return seconds_for


def in_node(process: node.Node, name: str, concurrency: int) -> Case:
    """Return the same of a call in Node.js."""

    async def seconds_for(waves: int) -> float:
        answer = await asyncio.to_thread(process.ask, "waves", name=name, count=waves, concurrency=concurrency)
        return float(str(answer["seconds"]))

    return seconds_for


async def calls(url: str, suffix: str, concurrency: int, stack: AsyncExitStack) -> AsyncIterator[tuple[str, Call]]:
    """Give everybody's calls in Python, by name of who and grant; each asks for tokens once."""
    pool = UserPool(POOL_ID, domain=url)
    verifier = TokenVerifier(pool, client_ids=[CLIENT_ID], jwks=key_set())
    for library in LIBRARIES:
        module = import_module(library)

        def new_client(module: ModuleType = module) -> Any:  # noqa: ANN401 - of either library
            return module.AsyncClient(limits=limits_of(module, concurrency), trust_env=False)

        bare = await stack.enter_async_context(new_client())
        ours = await stack.enter_async_context(new_client())
        client = CognitoClient(
            pool,
            client_id=CLIENT_ID,
            client_secret=SECRET,
            redirect_uri=REDIRECT_URI,
            verifier=verifier,
            http_client=ours,
        )
        scopes = ("openid", SCOPE) if suffix else (SCOPE,)
        request = replace(client.authorization_request(scopes=scopes), nonce=NONCE)
        callback = f"{REDIRECT_URI}?code={CODE}&state={request.state}"
        every = {
            "client_credentials": partial(client.client_credentials, scopes=(SCOPE,)),
            "refresh_token": partial(client.refresh, REFRESH_TOKEN),
            "authorization_code": partial(client.exchange_code, callback, request),
        }
        for grant in grants(suffix):
            form = forms()[grant.removesuffix(suffix)]
            post = partial(bare.post, pool.token_endpoint, data=form)
            yield f"{library} {grant}", post
            if suffix:
                yield f"{library}{AND_VERIFIED} {grant}", partial(and_verified, post, raw_verification())
            yield f"{OURS}, {library} {grant}", every[grant.removesuffix(suffix)]
    authlib = AsyncOAuth2Client(
        CLIENT_ID,
        SECRET,
        token_endpoint_auth_method="client_secret_post",
        redirect_uri=REDIRECT_URI,
        limits=limits_of(import_module(AUTHLIBS), concurrency),
        trust_env=False,
    )
    others = dict(authlib_calls(pool.token_endpoint, await stack.enter_async_context(authlib)))
    if concurrency <= MOST_OF_HTTPX_OAUTH:
        others |= dict(httpx_oauth_calls(pool.token_endpoint))
    for name, call in others.items():
        if name.partition(" ")[2] + suffix in grants(suffix):
            yield f"{name}{suffix}", call


async def and_verified(post: Call, verify: Callable[[], None]) -> None:
    """Post, and then verify a signature."""
    await post()
    verify()


def raw_verification() -> Callable[[], None]:
    """Return the verification of an ID token's signature, everything at hand: the least that verifying takes."""
    signing_input, _, signature = id_token().rpartition(".")
    octets = urlsafe_b64decode(f"{signature}==")
    return partial(rsa_key("id").public_key().verify, octets, signing_input.encode(), PKCS1v15(), SHA256())


def limits_of(module: ModuleType, concurrency: int) -> Any:  # noqa: ANN401 - of either library
    """Return limits under which connections stay open while others have their turn: reconnecting is not measured."""
    return module.Limits(max_connections=concurrency, max_keepalive_connections=concurrency, keepalive_expiry=KEEPALIVE)


def authlib_calls(url: str, client: AsyncOAuth2Client) -> Iterator[tuple[str, Call]]:
    """Give Authlib's. It verifies no ID token; an application does that with another part of it."""
    verifier, state = "v" * 64, "s" * 43
    callback = f"{REDIRECT_URI}?code={CODE}&state={state}"
    yield (
        f"{AUTHLIB} client_credentials",
        partial(client.fetch_token, url, grant_type="client_credentials", scope=SCOPE),
    )
    yield f"{AUTHLIB} refresh_token", partial(client.refresh_token, url, refresh_token=REFRESH_TOKEN)
    exchange = partial(client.fetch_token, url, authorization_response=callback, state=state, code_verifier=verifier)
    yield f"{AUTHLIB} authorization_code", exchange


def httpx_oauth_calls(url: str) -> Iterator[tuple[str, Call]]:
    """Give httpx-oauth's, which knows no client credentials and makes an HTTP client for each request."""
    client = OAuth2(CLIENT_ID, SECRET, "https://unused.example", url, refresh_token_endpoint=url)
    yield f"{HTTPX_OAUTH} refresh_token", partial(client.refresh_token, REFRESH_TOKEN)
    yield f"{HTTPX_OAUTH} authorization_code", partial(client.get_access_token, CODE, REDIRECT_URI, "v" * 64)


def forms() -> dict[str, dict[str, str]]:
    """Return what a bare post sends for each grant."""
    who = {"client_id": CLIENT_ID, "client_secret": SECRET}
    code = {"code": CODE, "redirect_uri": REDIRECT_URI, "code_verifier": "v" * 43}
    return {
        "client_credentials": {"grant_type": "client_credentials", **who, "scope": SCOPE},
        "refresh_token": {"grant_type": "refresh_token", **who, "refresh_token": REFRESH_TOKEN},
        "authorization_code": {"grant_type": "authorization_code", **who, **code},
    }


def setting_of_node(url: str) -> Json:
    """Return what the clients in Node.js need to know."""
    return {
        "issuer": ISSUER,
        "url": f"{url}/oauth2/token",
        "clientId": CLIENT_ID,
        "clientSecret": SECRET,
        "scope": SCOPE,
        "callback": f"{REDIRECT_URI}?code={CODE}&state={'s' * 43}",
        "state": "s" * 43,
        "nonce": NONCE,
        "verifier": "v" * 43,
        "refreshToken": REFRESH_TOKEN,
        "forms": forms(),
    }


# --- reporting --------------------------------------------------------------------------------------------------------


def blocks_of(result: Json) -> dict[str, str]:
    """Return the tables."""
    cases = mapping(result["cases"])
    counts = list(cases)
    goals = [
        [f"{TITLES[grant]}, {library}{beside}", GOAL, *(f"{ratio:.2f}" for ratio in ratios), _met(ratios)]
        for library in LIBRARIES
        for grant in TITLES
        for base, beside in ((library, ""), (f"{library}{AND_VERIFIED}", ", beside a post and a raw verification"))
        if f"{base} {grant}" in cases[counts[0]]
        for ratios in [[_ratio(cases[count], f"{OURS}, {library} {grant}", f"{base} {grant}") for count in counts]]
    ]
    everybody = [
        [name, TITLES[grant], *(_cell(cases[count], f"{who} {grant}", f"{base} {grant}") for count in counts)]
        for grant in TITLES
        for name, who, base in _rows(cases[counts[0]])
        if f"{who} {grant}" in cases[counts[0]]
    ]
    at_once = [f"{count} at once" for count in counts]
    return {
        "token-endpoint-goals": table(
            ["a token request, as a multiple of a bare post", "goal", *at_once, "met"], goals
        ),
        "token-endpoint-everybody": table(["who", "grant", *at_once], everybody),
        "token-endpoint-machine": machine_line(result),
    }


def pictures_of(result: Json) -> dict[str, str]:
    """Return the picture: a refresh, one at a time."""
    cases = mapping(mapping(result["cases"])["1"])
    rows = []
    for name, who, base in _rows(cases):
        if who != base and f"{who} refresh_token" in cases:
            ratio = _ratio(cases, f"{who} refresh_token", f"{base} refresh_token")
            rows.append(Bar(name.replace("**", ""), ratio, f"{ratio:.2f}", "ours" if who.startswith(OURS) else "peer"))
    subtitle = "A multiple of a bare post on the same HTTP client; less is better"
    return {"token-endpoint": bars("A refresh", subtitle, sorted(rows, key=lambda bar: bar.value), goal=GOAL)}


def _rows(cases: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Give everybody as shown, as the cases name him, and the bare post beside which he stands."""
    for library in LIBRARIES:
        yield f"a bare post, {library}", library, library
        yield f"**cognito_oidc**, {library}", f"{OURS}, {library}", library
        if library == AUTHLIBS:
            yield f"Authlib, {library}", AUTHLIB, library
        if library == "httpx":
            yield f"httpx-oauth, {library}", HTTPX_OAUTH, library
    if "fetch client_credentials" in cases:
        yield "a bare fetch (Node.js)", "fetch", "fetch"
        yield "oauth4webapi (Node.js)", "oauth4webapi", "fetch"
        yield "openid-client (Node.js)", "openid-client", "fetch"


def _ratio(cases: Mapping[str, object], name: str, base: str) -> float:
    return float(str(mapping(cases[name])["median"])) / float(str(mapping(cases[base])["median"]))


def _cell(cases: Mapping[str, object], name: str, base: str) -> str:
    if name not in cases:
        return "left out"
    time_taken = f"{float(str(mapping(cases[name])['median'])) / 1000:.2f} ms"
    return time_taken if name == base else f"{time_taken} ({_ratio(cases, name, base):.2f})"


def _met(ratios: list[float]) -> str:
    return "yes" if max(ratios) <= GOAL else "**no**"


if __name__ == "__main__":
    run("token_endpoint", measure, blocks_of, pictures_of)
