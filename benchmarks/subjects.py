"""Whoever verifies tokens and fetches the keys itself, behind one face: ours, and those of `benchmarks/peers.py`."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from benchmarks import peers
from benchmarks.key_server import KeyServer
from benchmarks.shared import CLIENT_ID, ISSUER, POOL_ID, access_token, key_set
from cognito_oidc import SyncTokenVerifier, TokenVerifier, UserPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from benchmarks.node import Node
    from benchmarks.peers import AsyncCheck, Check

ASYNC: Final = "TokenVerifier"
ENTERED: Final = "TokenVerifier, entered"
SYNC: Final = "SyncTokenVerifier"

Outcome = tuple[str, float]  # "accepted", or the name of an exception; and the seconds it took

_EXPIRES: Final = 1.0  # seconds, in place of the minutes after which a peer's key set expires, where it ever does
_numbers: Final = itertools.count()


class Clock:
    """A clock that runs, and can be moved."""

    def __init__(self) -> None:
        """Begin with the real time."""
        self.offset = 0.0

    def __call__(self) -> float:
        """Return epoch seconds."""
        return time.time() + self.offset


class Subject:
    """A verifier without keys, the server it fetches them from, and a good token for it."""

    def __init__(self, name: str, server: KeyServer, issuer: str = ISSUER) -> None:
        """Keep the names."""
        self.name = name
        self.server = server
        self.issuer = issuer
        self.token = access_token(iss=issuer)
        self.clock: Clock | None = None
        self.expires_after = 0.0

    async def one(self, token: str, *, direct: bool = False) -> Outcome:
        """Verify a token, and say how it went and how long it took; `direct` without a thread of its own."""
        raise NotImplementedError

    async def many(self, tokens: Sequence[str]) -> list[Outcome]:
        """Verify tokens at the same time."""
        return await asyncio.gather(*(self.one(token) for token in tokens))


class AsyncSubject(Subject):
    """One that awaits."""

    def __init__(self, name: str, server: KeyServer, check: AsyncCheck, issuer: str = ISSUER) -> None:
        """Keep the check."""
        super().__init__(name, server, issuer)
        self._check = check

    async def one(self, token: str, *, direct: bool = False) -> Outcome:  # noqa: ARG002 - it has no thread
        """Verify a token."""
        begun = time.perf_counter()
        try:
            await self._check(token)
        except Exception as error:  # noqa: BLE001 - each library has its own
            return type(error).__name__, time.perf_counter() - begun
        return "accepted", time.perf_counter() - begun


class ThreadSubject(Subject):
    """One that blocks: each call in a thread, as a server of threads has it."""

    def __init__(
        self, name: str, server: KeyServer, check: Check, threads: ThreadPoolExecutor, issuer: str = ISSUER
    ) -> None:
        """Keep the check."""
        super().__init__(name, server, issuer)
        self._check = check
        self._threads = threads

    async def one(self, token: str, *, direct: bool = False) -> Outcome:
        """Verify a token."""
        if direct:
            return self._call(token)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, token)

    def _call(self, token: str) -> Outcome:
        begun = time.perf_counter()
        try:
            self._check(token)
        except Exception as error:  # noqa: BLE001 - each library has its own
            return type(error).__name__, time.perf_counter() - begun
        return "accepted", time.perf_counter() - begun


class NodeSubject(Subject):
    """One that lives in Node.js."""

    def __init__(self, name: str, server: KeyServer, process: Node, expires_after: float) -> None:
        """Make it there."""
        super().__init__(name, server)
        self.expires_after = expires_after
        self._process = process
        self._subject = f"{name} {next(_numbers)}"
        cache = {"cacheMaxAge": int(expires_after * 1000)} if expires_after else {}
        pool = {"userPoolId": POOL_ID, "clientId": CLIENT_ID, "issuer": ISSUER}
        process.ask("withServer", subject=self._subject, name=name, url=server.url, **pool, **cache)

    async def one(self, token: str, *, direct: bool = False) -> Outcome:  # noqa: ARG002 - it has no thread
        """Verify a token."""
        return (await self.many([token]))[0]

    async def many(self, tokens: Sequence[str]) -> list[Outcome]:
        """Verify tokens at the same time."""
        answer = await asyncio.wrap_future(self._process.send("verify", name=self._subject, tokens=list(tokens)))
        outcomes = answer["outcomes"]
        assert isinstance(outcomes, list)
        return [(outcome, seconds) for outcome, seconds in outcomes]

    def heap(self) -> int:
        """Return the bytes of the heap in use, after a collection."""
        return int(str(self._process.ask("memory")["bytes"]))


class Subjects:
    """Makes them, each with a server of its own."""

    def __init__(self, threads: ThreadPoolExecutor, process: Node | None, certificate: Path) -> None:
        """Keep what they need."""
        self._threads = threads
        self._process = process
        self._certificate = certificate

    def names(self) -> list[str]:
        """Return who can be made here."""
        found = [ASYNC, ENTERED, SYNC]
        modules = {peers.PYJWT_CLIENT: "jwt", peers.COGNITOJWT: "cognitojwt", peers.FASTAPI_COGNITO: "fastapi_cognito"}
        found += [name for name, module in modules.items() if importlib.util.find_spec(module)]
        return found if self._process is None else [*found, peers.AWS_JWT_VERIFY, peers.JOSE]

    @asynccontextmanager
    async def fresh(self, name: str, *, expiring: bool = False) -> AsyncIterator[Subject]:
        """Give one without keys; `expiring`: a peer's key set does after a second, if it ever does."""
        on_node = name in {peers.AWS_JWT_VERIFY, peers.JOSE}
        with KeyServer(self._certificate if on_node else None) as server:
            server.serve(key_set())
            if name in {ASYNC, ENTERED, SYNC}:
                clock = Clock()
                pool = UserPool(POOL_ID, endpoint_url=server.base)
                subject: Subject
                if name == SYNC:
                    plain = SyncTokenVerifier(pool, client_ids=[CLIENT_ID], clock=clock)
                    subject = ThreadSubject(name, server, plain.verify_access_token, self._threads, pool.issuer)
                    subject.clock = clock
                    yield subject
                    return
                verifier = TokenVerifier(pool, client_ids=[CLIENT_ID], clock=clock)
                subject = AsyncSubject(name, server, verifier.verify_access_token, pool.issuer)
                subject.clock = clock
                if name == ENTERED:
                    async with verifier:
                        yield subject
                else:
                    yield subject
                return
            yield self._peer(name, server, expiring=expiring)

    def _peer(self, name: str, server: KeyServer, *, expiring: bool) -> Subject:
        if name == peers.PYJWT_CLIENT:
            check = peers.pyjwt_client(server.url, lifespan=_EXPIRES if expiring else 300)
            subject: Subject = ThreadSubject(name, server, check, self._threads)
            subject.expires_after = _EXPIRES if expiring else 0.0
        elif name == peers.COGNITOJWT:
            subject = ThreadSubject(name, server, peers.cognitojwt(server.url), self._threads)
        elif name == peers.FASTAPI_COGNITO:
            subject = AsyncSubject(name, server, peers.fastapi_cognito(server.url))
        else:
            assert self._process is not None
            expires = _EXPIRES if expiring and name == peers.JOSE else 0.0
            subject = NodeSubject(name, server, self._process, expires)
        return subject
