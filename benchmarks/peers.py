"""Other libraries, each checking an access token as its own documentation says an application should.

Where a library leaves a claim to the application (most know nothing of `client_id` and `token_use`), the application's
lines are part of what is timed. What a library does not look at, `benchmarks/strictness.py` finds out. One that is not
installed is left out.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final

from benchmarks.shared import ACCESS_KID, CLIENT_ID, ISSUER, POOL_ID, REGION, Json

if TYPE_CHECKING:
    from jwt.types import Options

Check = Callable[[str], object]
AsyncCheck = Callable[[str], Awaitable[object]]

PACKAGES: Final = ("cryptography", "joserfc", "PyJWT", "Authlib", "python-jose", "cognitojwt", "fastapi-cognito")

JOSERFC: Final = "joserfc"
PYJWT: Final = "PyJWT, prepared key"
PYJWT_CLIENT: Final = "PyJWT, PyJWKClient"
AUTHLIB: Final = "Authlib"
PYTHON_JOSE: Final = "python-jose, key set"
PYTHON_JOSE_KEY: Final = "python-jose, prepared key"
COGNITOJWT: Final = "cognitojwt"
FASTAPI_COGNITO: Final = "fastapi-cognito"
AWS_JWT_VERIFY: Final = "aws-jwt-verify (Node.js)"
JOSE: Final = "jose (Node.js)"


class Refused(Exception):  # noqa: N818 - what an application raises
    """The application's own check refused the token."""


def checked_by_application(claims: Json) -> Json:
    """Check what generic libraries leave to the application."""
    if claims.get("client_id") != CLIENT_ID or claims.get("token_use") != "access":
        raise Refused
    return claims


def joserfc(jwks: Json) -> Check:
    """joserfc: decode with a key set, then a claims registry."""
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(jwks)  # type: ignore[arg-type]  # a TypedDict there
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        exp={"essential": True},
        client_id={"essential": True, "value": CLIENT_ID},
        token_use={"essential": True, "value": "access"},
    )

    def check(token: str) -> Json:
        decoded = jwt.decode(token, keys, algorithms=["RS256"])
        registry.validate(decoded.claims)
        return decoded.claims

    return check


def pyjwt(jwks: Json) -> Check:
    """PyJWT with the key of the kid at hand."""
    import jwt

    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(jwks).keys}
    key = keys[ACCESS_KID]
    required: Options = {"require": ["exp", "iss", "client_id", "token_use"]}

    def check(token: str) -> Json:
        return checked_by_application(jwt.decode(token, key, algorithms=["RS256"], issuer=ISSUER, options=required))

    return check


def pyjwt_client(url: str, *, lifespan: float = 300) -> Check:
    """PyJWT as its page "Retrieve RSA signing keys from a JWKS endpoint" has it; 300 s is its default lifespan."""
    import jwt

    client = jwt.PyJWKClient(url, lifespan=lifespan)
    required: Options = {"require": ["exp", "iss", "client_id", "token_use"]}

    def check(token: str) -> Json:
        key = client.get_signing_key_from_jwt(token)
        return checked_by_application(jwt.decode(token, key, algorithms=["RS256"], issuer=ISSUER, options=required))

    return check


def authlib(jwks: Json) -> Check:
    """Authlib: decode with claims options, then validate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its jose is deprecated in favour of joserfc
        from authlib.jose import JsonWebKey, JsonWebToken

    keys = JsonWebKey.import_key_set(jwks)
    engine = JsonWebToken(["RS256"])
    options = {
        "iss": {"essential": True, "value": ISSUER},
        "exp": {"essential": True},
        "client_id": {"essential": True, "value": CLIENT_ID},
        "token_use": {"essential": True, "value": "access"},
    }

    def check(token: str) -> object:
        claims = engine.decode(token, keys, claims_options=options)
        claims.validate()
        return claims

    return check


def python_jose(jwks: Json) -> Check:
    """python-jose with the key set as a dict, as its documentation for Cognito-like providers has it."""
    from jose import jwt

    options = {"require_exp": True, "require_iss": True}

    def check(token: str) -> Json:
        claims = jwt.decode(token, jwks, algorithms=["RS256"], issuer=ISSUER, options=options)
        return checked_by_application(claims)

    return check


def python_jose_key(jwks: Json) -> Check:
    """python-jose with a key that was constructed once."""
    from jose import jwk, jwt

    keys = {str(key["kid"]): jwk.construct(key) for key in jwks["keys"]}  # type: ignore[attr-defined]
    key = keys[ACCESS_KID]
    options = {"require_exp": True, "require_iss": True}

    def check(token: str) -> Json:
        claims = jwt.decode(token, key, algorithms=["RS256"], issuer=ISSUER, options=options)
        return checked_by_application(claims)

    return check


def cognitojwt(source: str) -> Check:
    """cognitojwt; `source` is a file with the key set or its URL."""
    import cognitojwt as library

    os.environ["AWS_COGNITO_JWKS_PATH"] = source

    def check(token: str) -> object:
        return library.decode(token, REGION, POOL_ID, app_client_id=CLIENT_ID)

    return check


def fastapi_cognito(source: str) -> AsyncCheck:
    """fastapi-cognito's dependency, without FastAPI around it; `source` is a file with the key set or its URL."""
    import logging

    from fastapi_cognito import CognitoAuth, CognitoSettings
    from starlette.requests import HTTPConnection

    logging.getLogger("fastapi_cognito").setLevel(logging.CRITICAL)
    pool = {"region": REGION, "userpool_id": POOL_ID, "app_client_id": CLIENT_ID, "jwks_url": source}
    settings = CognitoSettings(
        check_expiration=True, jwt_header_name="Authorization", jwt_header_prefix="Bearer", userpools={"eu": pool}
    )
    auth = CognitoAuth(settings=settings)

    async def check(token: str) -> object:
        headers = [(b"authorization", b"Bearer " + token.encode())]
        return await auth.auth_required(HTTPConnection({"type": "http", "headers": headers}))

    return check


def synchronous(jwks: Json, *, url: str, path: str) -> Iterator[tuple[str, Check]]:
    """Give each installed library that checks without `await`.

    Args:
        jwks: The key set.
        url: Where it is served.
        path: The file it is in.
    """
    makers: dict[str, Callable[[], Check]] = {
        JOSERFC: lambda: joserfc(jwks),
        PYJWT: lambda: pyjwt(jwks),
        PYJWT_CLIENT: lambda: pyjwt_client(url),
        AUTHLIB: lambda: authlib(jwks),
        PYTHON_JOSE: lambda: python_jose(jwks),
        PYTHON_JOSE_KEY: lambda: python_jose_key(jwks),
        COGNITOJWT: lambda: cognitojwt(path),
    }
    for name, make in makers.items():
        try:
            yield name, make()
        except ImportError as error:
            print(f"{name}: left out, {error}")


def asynchronous(*, path: str) -> Iterator[tuple[str, AsyncCheck]]:
    """Give each installed library that checks with `await`."""
    try:
        yield FASTAPI_COGNITO, fastapi_cognito(path)
    except ImportError as error:
        print(f"{FASTAPI_COGNITO}: left out, {error}")


def write_key_set(folder: str, jwks: Json) -> str:
    """Write the key set into a file for libraries that read one, and return its path."""
    path = os.path.join(folder, "jwks.json")  # noqa: PTH118 - they take text
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - the same
        json.dump(jwks, file)
    return path
