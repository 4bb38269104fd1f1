"""OpenTelemetry: metrics and spans of a verifier, over its event hook.

Decides how each event is named and counted. Decides nothing about when there is one; a verification that succeeds makes
none, and is counted by whoever measures the requests.

Metrics: `cognito_oidc.token.rejections`, `cognito_oidc.key_set.fetch.duration`, `cognito_oidc.key_set.stale_uses`,
`cognito_oidc.key_set.unknown_keys`, `cognito_oidc.key_set.changes`. A fetch is also a span,
`cognito_oidc.key_set.fetch`, below the request that waited for it; a rejection is an event of the span that it happens
in, `cognito_oidc.token.rejected`. The guide has units and attributes.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Final

try:
    from opentelemetry.metrics import get_meter
    from opentelemetry.trace import SpanKind, StatusCode, get_current_span, get_tracer
except ImportError as _missing:
    raise ImportError(
        f"cognito_oidc.integrations.otel needs {_missing.name}: install the extra with "
        "`pip install 'cognito-oidc[otel]'`",
        name=_missing.name,
    ) from _missing

from cognito_oidc import (
    KeyAppeared,
    KeySetFetchFailed,
    KeySetRefreshed,
    KeyWithdrawn,
    StaleServed,
    TokenRejected,
    UnknownKid,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

    from cognito_oidc import VerifierEvent

__all__ = ["VerifierTelemetry"]

_SCOPE: Final = "cognito_oidc"
_ERROR_TYPE: Final = "error.type"  # OpenTelemetry semantic conventions, "error"
_ISSUER: Final = "cognito_oidc.issuer"
_FETCH: Final = "cognito_oidc.key_set.fetch"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # a fetch ends after five
_NANOSECONDS: Final = 1_000_000_000


class VerifierTelemetry:
    """An `on_event` of verifiers: `TokenVerifier(..., on_event=VerifierTelemetry())`. One serves all of a process.

    Nothing that identifies a person, an app client, a token or a pool is recorded, unless `with_issuer` asks for the
    pool.
    """

    def __init__(
        self,
        *,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
        with_issuer: bool = False,
    ) -> None:
        """Make the instruments.

        Args:
            meter_provider: Where metrics go; the global one unless given.
            tracer_provider: Where spans go; the global one unless given.
            with_issuer: Record the pool's issuer with everything but rejections, and why a fetch failed in the span's
                status, whose text may name hosts. For several pools.
        """
        meter = get_meter(_SCOPE, meter_provider=meter_provider)
        self._tracer = get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._with_issuer = with_issuer
        self._rejections = meter.create_counter(
            "cognito_oidc.token.rejections", "{token}", "Tokens that were refused, by the code of the error."
        )
        self._fetches = meter.create_histogram(
            "cognito_oidc.key_set.fetch.duration",
            "s",
            "Fetches of the key set.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._stale_uses = meter.create_counter(
            "cognito_oidc.key_set.stale_uses", "{token}", "Tokens that were verified with keys that are too old."
        )
        self._unknown_keys = meter.create_counter(
            "cognito_oidc.key_set.unknown_keys", "{token}", "Tokens whose key is not in the key set."
        )
        self._changes = meter.create_counter(
            "cognito_oidc.key_set.changes", "{key}", "Keys that appeared in the key set or were withdrawn from it."
        )

    def __call__(self, event: VerifierEvent) -> None:
        """Record an event; called by the verifier."""
        match event:
            case TokenRejected(code=code):
                self._rejections.add(1, {_ERROR_TYPE: code})
                get_current_span().add_event("cognito_oidc.token.rejected", {_ERROR_TYPE: code})
            case KeySetRefreshed(duration=duration):
                self._fetches.record(duration, self._of(event.issuer))
                self._trace_fetch(event)
            case KeySetFetchFailed(duration=duration, code=code):
                self._fetches.record(duration, self._of(event.issuer, **{_ERROR_TYPE: code}))
                self._trace_fetch(event)
            case StaleServed(issuer=issuer):
                self._stale_uses.add(1, self._of(issuer))
            case UnknownKid(issuer=issuer, looked_up=looked_up):
                self._unknown_keys.add(1, self._of(issuer, **{"cognito_oidc.key_set.looked_up": looked_up}))
            case KeyAppeared(issuer=issuer):
                self._changes.add(1, self._of(issuer, **{"cognito_oidc.key_set.change": "appeared"}))
            case KeyWithdrawn(issuer=issuer):
                self._changes.add(1, self._of(issuer, **{"cognito_oidc.key_set.change": "withdrawn"}))

    def _of(self, issuer: str, **attributes: AttributeValue) -> dict[str, AttributeValue]:
        return {**attributes, _ISSUER: issuer} if self._with_issuer else attributes

    def _trace_fetch(self, event: KeySetRefreshed | KeySetFetchFailed) -> None:
        """Record a fetch that has just ended as a span that began when the fetch did."""
        end = time_ns()
        begin = end - int(event.duration * _NANOSECONDS)
        span = self._tracer.start_span(
            _FETCH, kind=SpanKind.CLIENT, start_time=begin, attributes=self._of(event.issuer)
        )
        if isinstance(event, KeySetRefreshed):
            span.set_attributes(
                {
                    "cognito_oidc.key_set.keys": event.keys,
                    "cognito_oidc.key_set.skipped_keys": event.skipped,
                    "cognito_oidc.key_set.changed": event.changed,
                }
            )
        else:
            span.set_attribute(_ERROR_TYPE, event.code)
            span.set_status(StatusCode.ERROR, event.error if self._with_issuer else None)
        span.end(end)
