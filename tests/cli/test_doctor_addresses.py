"""What the pool's addresses answer, as a table; and a certificate and a clock that are really wrong."""

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cognito_oidc import UserPool
from cognito_oidc.cli.doctor_addresses import Reply, judge_clock, judge_discovery, judge_domain, judge_keys
from cognito_oidc.cli.doctor_probes import probing, taken_ports
from cognito_oidc.cli.doctor_profile import Subject
from cognito_oidc.cli.findings import Check
from cognito_oidc.protocol.wire import HttpResponse

POOL = UserPool("eu-west-1_AbC123xyz", domain="acme")
SUBJECT = Subject(profile="shop", pool=POOL, client_id="1example23456789")
URL = "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/authorize"
NOON = 1_764_244_800.0  # 2025-11-27 12:00:00 UTC
NO_REPLY = Reply(url=URL, trouble="network", words="connection refused")


def reply(status: int = 200, document: object = None, **headers: str) -> Reply:
    """Return an answer that came at noon."""
    body = json.dumps(document).encode() if document is not None else b""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = HttpResponse(status=status, headers={"content-type": "application/json", **named}, body=body)
    return Reply(url=URL, response=response, asked_at=NOON, answered_at=NOON + 0.2)


def document(pool: UserPool = POOL, *, changes: Mapping[str, object] | None = None) -> dict[str, object]:
    """Return a pool's discovery document, after some changes."""
    metadata = pool.metadata
    return {
        "issuer": pool.issuer,
        "jwks_uri": pool.jwks_uri,
        "authorization_endpoint": metadata.authorization_endpoint,
        "token_endpoint": metadata.token_endpoint,
        **(changes or {}),
    }


def outcomes(checks: list[Check]) -> dict[str, str]:
    """Return subject to outcome, or to the code of a finding."""
    return {check.about: check.finding.code if check.finding else check.outcome for check in checks}


UPDATED = UserPool("eu-west-1_AbC123xyz", domain="acme", issuer_type="updated")
NO_DOMAIN: dict[str, object] = {
    "authorization_endpoint": f"{POOL.issuer}/authorize",
    "token_endpoint": f"{POOL.issuer}/token",
}


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        pytest.param(reply(document=document()), reply(404), {"discovery": "good", "issuer": "good"}, id="good"),
        pytest.param(
            reply(document=document()),
            reply(document=document(UPDATED)),
            {"discovery": "good", "issuer": "unknown"},
            id="both-are-served",
        ),
        pytest.param(
            reply(document=document()),
            reply(document=document()),
            {"discovery": "good", "issuer": "good"},
            id="both-hosts-say-the-original",
        ),
        pytest.param(
            reply(document=document(UPDATED)),
            reply(document=document(UPDATED)),
            {"discovery": "good", "issuer": "issuer_type"},
            id="both-hosts-say-the-updated",
        ),
        pytest.param(reply(404), reply(document=document(UPDATED)), {"issuer": "issuer_type"}, id="only-the-other"),
        pytest.param(reply(503), reply(document=document(UPDATED)), {"discovery": "unknown"}, id="a-fault-at-its-own"),
        pytest.param(NO_REPLY, reply(document=document(UPDATED)), {"discovery": "unknown"}, id="no-answer-of-its-own"),
        pytest.param(reply(404), reply(404), {"discovery": "pool_not_found"}, id="no-pool"),
        pytest.param(reply(503), reply(503), {"discovery": "unknown"}, id="a-fault-there"),
        pytest.param(NO_REPLY, NO_REPLY, {"discovery": "unknown"}, id="no-answer"),
        pytest.param(
            reply(document=document(changes=NO_DOMAIN)),
            reply(404),
            {"discovery": "good", "issuer": "good", "domain": "pool_without_domain"},
            id="pool-without-a-domain",
        ),
        pytest.param(
            reply(document=document(changes={"authorization_endpoint": "https://login.acme.example/oauth2/authorize"})),
            reply(404),
            {"discovery": "good", "issuer": "good", "domain": "unknown"},
            id="custom-domain-beside-the-prefix",
        ),
    ],
)
def test_discovery_is_judged(own: Reply, other: Reply, expected: dict[str, str]) -> None:
    """Which document comes from which of the two issuers tells what is set, or leaves it open."""
    assert outcomes(judge_discovery(SUBJECT, own, other)) == expected


@pytest.mark.parametrize(
    ("came", "outcome"),
    [
        pytest.param(reply(404), "keys", id="not-there"),
        pytest.param(reply(document={"keys": []}), "keys", id="empty"),
        pytest.param(reply(503), "unknown", id="a-fault-there"),
        pytest.param(reply(429), "unknown", id="too-many-requests"),
        pytest.param(NO_REPLY, "unknown", id="no-answer"),
    ],
)
def test_keys_are_judged(came: Reply, outcome: str) -> None:
    """Keys that are not there are a finding; a server that does not answer is none."""
    assert outcomes([judge_keys(came)])["keys"] == outcome


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [
        pytest.param(0, "good", id="right"),
        pytest.param(30, "good", id="half-a-minute"),
        pytest.param(60, "good", id="the-most-that-is-let-pass"),
        pytest.param(120, "clock", id="ahead"),
        pytest.param(-120, "clock", id="behind"),
        pytest.param(-86_400, "clock", id="yesterday"),
    ],
)
def test_the_clock_is_compared(ahead: float, outcome: str) -> None:
    """A clock that is off by more than a minute is a finding, whichever way."""
    came = reply(date=formatdate(NOON - ahead, usegmt=True))
    assert outcomes([judge_clock([came])])["clock"] == outcome


def test_the_best_measurement_counts() -> None:
    """Of several answers the one that took the shortest is believed."""
    slow = reply(date=formatdate(NOON - 300, usegmt=True))
    slow = Reply(url=URL, response=slow.response, asked_at=NOON - 30, answered_at=NOON + 30)
    assert judge_clock([slow, reply(date=formatdate(NOON, usegmt=True))]).outcome == "good"


@pytest.mark.parametrize(
    "came",
    [
        pytest.param([], id="nothing"),
        pytest.param([reply()], id="no-date"),
        pytest.param([reply(date="yesterday")], id="no-time"),
        pytest.param([reply(date=formatdate(NOON - 300, usegmt=True), age="300")], id="from-a-cache"),
        pytest.param([NO_REPLY], id="no-answer"),
    ],
)
def test_without_a_time_the_clock_cannot_be_told(came: list[Reply]) -> None:
    """No Date, or one that a cache kept, says nothing about this machine's clock."""
    assert judge_clock(came).outcome == "unknown"


@pytest.mark.parametrize(
    ("came", "network_works", "outcome"),
    [
        pytest.param(reply(400), True, "good", id="any-answer"),
        pytest.param(Reply(url=URL, trouble="name", words="unknown"), True, "domain_not_found", id="no-such-name"),
        pytest.param(Reply(url=URL, trouble="name", words="unknown"), False, "unknown", id="no-network"),
        pytest.param(Reply(url=URL, trouble="certificate", words="expired"), True, "certificate", id="certificate"),
        pytest.param(NO_REPLY, True, "unknown", id="no-answer"),
    ],
)
def test_the_domain_is_judged(came: Reply, network_works: bool, outcome: str) -> None:
    """A name that nobody has is a finding only where the network itself works."""
    assert outcomes([judge_domain(SUBJECT, came, network_works=network_works)])["domain"] == outcome


# --- really -----------------------------------------------------------------------------------------------------------


@contextmanager
def serving(folder: Path | None = None, *, date: str | None = None) -> Iterator[str]:
    """Serve 404 to everything, over TLS with a certificate that nobody knows, or with a Date of one's own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(404)
            self.send_header("Date", date or self.date_time_string())
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if folder is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(folder))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'https' if folder else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def self_signed(folder: Path) -> Path:
    """Write a key and a certificate for localhost that it signed itself."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    return path


def asked(url: str) -> Reply:
    """Ask an address as the doctor does."""

    async def ask() -> Reply:
        async with probing(SUBJECT) as prober:
            return await prober.get(url)

    return anyio.run(ask)


def test_a_certificate_that_nobody_knows_is_a_finding(tmp_path: Path) -> None:
    """TLS is really begun, and the reason is the one that OpenSSL gives."""
    with serving(tmp_path) as url:
        came = asked(url)
    check = judge_domain(SUBJECT, came, network_works=True)
    assert check.finding is not None
    assert (check.finding.code, "self-signed" in check.finding.found) == ("certificate", True)


def test_a_clock_that_is_really_off_is_a_finding() -> None:
    """The Date of a real answer is compared with the clock of this machine."""
    with serving(date=formatdate(NOON, usegmt=True)) as url:
        check = judge_clock([asked(url)])
    assert check.finding is not None
    assert check.finding.code == "clock"


def test_a_name_that_nobody_has_is_told_from_a_network_that_fails() -> None:
    """A name below `.invalid` does not exist (RFC 2606); a port where nobody listens is another trouble."""
    assert asked("http://pool.invalid/").trouble == "name"
    assert asked("http://127.0.0.1:9/").trouble == "network"


def test_free_ports_are_free(free_port: int) -> None:
    """A port that nobody has can be listened on, by a name and by an address."""
    uris = {f"http://{host}:{free_port}/callback": free_port for host in ("localhost", "127.0.0.1")}
    assert taken_ports(uris) == dict.fromkeys(uris, "")
