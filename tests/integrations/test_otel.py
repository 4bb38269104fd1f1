"""Metrics and spans of a verifier, as OpenTelemetry's SDK receives them, against the emulator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from cognito_oidc import (
    KeyAppeared,
    KeySetFetchFailed,
    KeySetRefreshed,
    KeyWithdrawn,
    StaleServed,
    TokenRejected,
    TokenVerifier,
    UnknownKid,
    VerifierEvent,
)
from cognito_oidc.errors import KeysUnavailableError, TokenVerificationError
from cognito_oidc.integrations.otel import VerifierTelemetry

if TYPE_CHECKING:
    from cognito_oidc.emulator import CognitoEmulator, EmulatedAppClient, EmulatedPool
    from cognito_oidc.testing import IssueAccessToken

ISSUER: Final = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz"


class Backend:
    """Where metrics and spans go."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self._exporter = InMemorySpanExporter()
        self.meters = MeterProvider([self._reader])
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))

    def telemetry(self, **settings: bool) -> VerifierTelemetry:
        """Return a hook that reports here."""
        return VerifierTelemetry(meter_provider=self.meters, tracer_provider=self.tracers, **settings)

    @property
    def metrics(self) -> dict[str, dict[tuple[tuple[str, object], ...], Any]]:
        """Every metric: name to attributes to its data point."""
        data = self._reader.get_metrics_data()
        scopes = [scope for one in data.resource_metrics for scope in one.scope_metrics] if data else []
        return {
            metric.name: {tuple(sorted((point.attributes or {}).items())): point for point in metric.data.data_points}
            for scope in scopes
            for metric in scope.metrics
        }

    @property
    def spans(self) -> list[ReadableSpan]:
        """Every span that ended."""
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def backend() -> Backend:
    """Return an empty backend."""
    return Backend()


def verifier_of(
    pool: EmulatedPool, client: EmulatedAppClient, cognito: CognitoEmulator, telemetry: VerifierTelemetry
) -> TokenVerifier:
    """Return a verifier that tells its events."""
    return TokenVerifier(
        pool.user_pool,
        client_ids=[client.client_id],
        http_client=cognito.http_client(),
        clock=cognito.clock,
        on_event=telemetry,
    )


@pytest.mark.anyio
async def test_what_a_verifier_goes_through_is_counted(
    backend: Backend,
    cognito_pool: EmulatedPool,
    cognito_app_client: EmulatedAppClient,
    cognito_emulator: CognitoEmulator,
    issue_access_token: IssueAccessToken,
) -> None:
    """A failed fetch, a good one, a rotation and two bad tokens; and spans of the fetches below the request's."""
    verifier = verifier_of(cognito_pool, cognito_app_client, cognito_emulator, backend.telemetry())
    tracer = backend.tracers.get_tracer("api")
    good = issue_access_token("ann")
    cognito_emulator.fail_next("jwks", status=500, times=1)
    with tracer.start_as_current_span("GET /orders") as request:
        with pytest.raises(KeysUnavailableError):
            await verifier.verify_access_token(good)
        cognito_emulator.clock.advance(2)
        await verifier.verify_access_token(good)
        cognito_pool.rotate_keys()
        await verifier.verify_access_token(issue_access_token("ann"))
        for bad in ("nonsense", good[:-8] + "AAAAAAAA"):
            with pytest.raises(TokenVerificationError):
                await verifier.verify_access_token(bad)

    metrics = backend.metrics
    fetches = metrics["cognito_oidc.key_set.fetch.duration"]
    assert {attributes: point.count for attributes, point in fetches.items()} == {
        (("error.type", "transport"),): 1,
        (): 2,
    }
    rejections = metrics["cognito_oidc.token.rejections"]
    assert {attributes: point.value for attributes, point in rejections.items()} == {
        (("error.type", "malformed_token"),): 1,
        (("error.type", "invalid_signature"),): 1,
    }
    changes = metrics["cognito_oidc.key_set.changes"]
    assert changes[("cognito_oidc.key_set.change", "appeared"),].value >= 3
    *fetched, root = backend.spans
    assert [(span.name, span.kind, span.status.status_code) for span in fetched] == [
        ("cognito_oidc.key_set.fetch", SpanKind.CLIENT, StatusCode.ERROR),
        ("cognito_oidc.key_set.fetch", SpanKind.CLIENT, StatusCode.UNSET),
        ("cognito_oidc.key_set.fetch", SpanKind.CLIENT, StatusCode.UNSET),
    ]
    assert {span.parent and span.parent.span_id for span in fetched} == {request.get_span_context().span_id}
    assert [(event.name, dict(event.attributes or {})) for event in root.events] == [
        ("cognito_oidc.token.rejected", {"error.type": "malformed_token"}),
        ("cognito_oidc.token.rejected", {"error.type": "invalid_signature"}),
    ]


def everything_told(backend: Backend) -> str:
    """Return all that a backend got, as text."""
    spans = [(span.name, dict(span.attributes or {}), span.status.description, span.events) for span in backend.spans]
    return f"{backend.metrics} {spans}"


EVENTS: Final[list[VerifierEvent]] = [
    KeySetRefreshed(ISSUER, keys=2, skipped=1, changed=True, duration=0.25),
    KeySetFetchFailed(ISSUER, f"{ISSUER}: no answer", failures=1, retry_in=0.5, code="transport", duration=3.0),
    KeyAppeared(ISSUER, "kid of a key"),
    KeyWithdrawn(ISSUER, "kid of a key"),
    StaleServed(ISSUER, 4000.0),
    UnknownKid(ISSUER, looked_up=False),
    TokenRejected("expired_token"),
]
NAMES: Final = {
    "cognito_oidc.token.rejections": "{token}",
    "cognito_oidc.key_set.fetch.duration": "s",
    "cognito_oidc.key_set.stale_uses": "{token}",
    "cognito_oidc.key_set.unknown_keys": "{token}",
    "cognito_oidc.key_set.changes": "{key}",
}


def test_nothing_that_identifies_anybody_is_recorded(backend: Backend) -> None:
    """Every event there is: no issuer, pool id, host or kid, neither in attributes nor in texts."""
    telemetry = backend.telemetry()
    for event in EVENTS:
        telemetry(event)
    told = everything_told(backend)
    assert len(backend.metrics) == len(NAMES)
    assert not any(secret in told for secret in ("eu-west-1", "amazonaws", "kid of a key"))


def test_several_pools_are_told_apart_on_request(backend: Backend) -> None:
    """`with_issuer` adds the issuer, and why a fetch failed; still no kid."""
    telemetry = backend.telemetry(with_issuer=True)
    for event in EVENTS:
        telemetry(event)
    (stale,) = backend.metrics["cognito_oidc.key_set.stale_uses"]
    assert stale == (("cognito_oidc.issuer", ISSUER),)
    failed = backend.spans[1]
    assert failed.status.description == f"{ISSUER}: no answer"
    assert "kid of a key" not in everything_told(backend)


def test_a_span_lasts_as_long_as_its_fetch(backend: Backend) -> None:
    """It began when the fetch did, though it is made when that ends; its attributes are the event's numbers."""
    telemetry = backend.telemetry()
    telemetry(EVENTS[0])
    (span,) = backend.spans
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 250_000_000
    assert dict(span.attributes or {}) == {
        "cognito_oidc.key_set.keys": 2,
        "cognito_oidc.key_set.skipped_keys": 1,
        "cognito_oidc.key_set.changed": True,
    }


def test_the_names_are_the_documented_ones(backend: Backend) -> None:
    """Dashboards hang on names and units: they are those of the guide, and do not change."""
    telemetry = backend.telemetry()
    for event in EVENTS:
        telemetry(event)
    data = backend._reader.get_metrics_data()
    assert data is not None
    metrics = [metric for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]
    assert {metric.name: metric.unit for metric in metrics} == NAMES
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "observability.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `([a-z_.]+)` \| (?:counter|histogram) \| `([^`]+)` \|", guide)
    assert dict(rows) == NAMES


def test_without_a_provider_nothing_happens() -> None:
    """Where an application sets up no SDK, the API's own no-ops take everything."""
    telemetry = VerifierTelemetry()
    for event in EVENTS:
        telemetry(event)
