"""One pool with one person and one public app client, and keys that are made once per session."""

from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool, EmulatedUser, tokens
from tests.emulator.support import CALLBACK, GOODBYE, POOL_ID, SECRET

_KEYS: list[RSAPrivateKey] = []


@pytest.fixture(autouse=True)
def keys_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand out the same keys to every test, a different one to every call."""
    position = count()

    def next_key(*, public_exponent: int, key_size: int) -> RSAPrivateKey:
        index = next(position)
        while len(_KEYS) <= index:
            _KEYS.append(generate_private_key(public_exponent=public_exponent, key_size=key_size))
        return _KEYS[index]

    monkeypatch.setattr(tokens, "generate_private_key", next_key)


@pytest.fixture
def aws() -> CognitoEmulator:
    """Return an emulator without pools."""
    return CognitoEmulator()


@pytest.fixture
def pool(aws: CognitoEmulator) -> EmulatedPool:
    """Return a pool with the domain `orders`."""
    return aws.add_pool(POOL_ID, domain="orders")


@pytest.fixture
def ann(pool: EmulatedPool) -> EmulatedUser:
    """Return a person of the pool."""
    return pool.add_user(
        "ann",
        password="correct horse",
        email="ann@acme.com",
        email_verified=True,
        groups=["admins"],
        attributes={"name": "Ann", "custom:tenant": "42", "phone_number": "+15550100", "phone_number_verified": False},
    )


@pytest.fixture
def web(pool: EmulatedPool, ann: EmulatedUser) -> EmulatedAppClient:
    """Return a public app client of a pool that has a person."""
    return pool.add_client("web", redirect_uris=[CALLBACK], logout_uris=[GOODBYE])


@pytest.fixture
def confidential(pool: EmulatedPool, ann: EmulatedUser) -> EmulatedAppClient:
    """Return an app client with a secret."""
    return pool.add_client("shop", redirect_uris=[CALLBACK], client_secret=SECRET)


@pytest.fixture
def pair(aws: CognitoEmulator) -> tuple[EmulatedPool, EmulatedPool]:
    """Return a pool with ann, and one that signs people in through it as `Corp`."""
    corp, app = aws.federated_pair(
        provider_name="Corp", attribute_mapping={"email": "email", "name": "name", "custom:org": "custom:tenant"}
    )
    corp.add_user(
        "ann", password="correct horse", email="ann@acme.com", attributes={"name": "Ann", "custom:tenant": "42"}
    )
    return corp, app


@pytest.fixture
def corp(pair: tuple[EmulatedPool, EmulatedPool]) -> EmulatedPool:
    """Return the pool upstream."""
    return pair[0]


@pytest.fixture
def app(pair: tuple[EmulatedPool, EmulatedPool]) -> EmulatedPool:
    """Return the pool downstream."""
    return pair[1]


@pytest.fixture
def shop(app: EmulatedPool) -> EmulatedAppClient:
    """Return an app client downstream, which takes people of `Corp` and of its own pool."""
    return app.add_client("shop", redirect_uris=[CALLBACK], identity_providers=["COGNITO", "Corp"])


@pytest.fixture
def job(pool: EmulatedPool) -> EmulatedAppClient:
    """Return an app client of a machine with two of the pool's three scopes."""
    pool.add_resource_server("orders", scopes=["read", "write"])
    pool.add_resource_server("bills", scopes=["pay"])
    return pool.add_client("job", grants=["client_credentials"], scopes=["orders/read", "orders/write"])
