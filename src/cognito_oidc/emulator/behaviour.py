"""The switches of the emulator.

Decides which doubts about Amazon Cognito have a switch, and what each is set to when nobody says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What the emulator does where it is not known what Amazon Cognito does.

    A program that passes its tests under both positions of a switch works whichever turns out to be true.

    Attributes:
        invalid_client_status: Status of `invalid_client` at `/oauth2/token`. The guide's general map says 400.
        invalid_client_description: The `error_description` beside a wrong client secret, or None for none.
        nonce_on_refresh: Whether an ID token from a refresh repeats the nonce of the sign-in.
        machine_scope_not_allowed: A scope that the app client lacks, at client credentials: `"reject"` answers
            `invalid_scope`, `"ignore"` leaves it out, as one page of the guide says.
        authorize_scope_not_allowed: The same at `/oauth2/authorize`: `error=invalid_scope` on the redirect URI,
            `error=invalid_request` with the description `invalid_scope`, or Cognito's own error page. All were seen.
        verifier_without_challenge: A `code_verifier` for a code that was asked for without a challenge.
        refresh_reuse_revokes_sign_in: Whether a refresh token that was rotated out kills the whole sign-in when used.
        revoke_secret_in_body: Whether `/oauth2/revoke` takes `client_secret` in the form beside the documented header.
        userinfo_by_post: Whether userInfo answers POST as well as the documented GET.
        userinfo_missing_scope_status: Status of userInfo for an access token without the scope `openid`.
        logout_keeps_pkce: Whether `/logout` with `redirect_uri` hands `code_challenge` on to the login page.
        both_issuer_hosts: Whether discovery and keys are also served on the host of the issuer type that the pool
            does not use.
        key_set_max_age: `max-age` of the key set's Cache-Control header in seconds, or None for no such header.
        authentication_context: When tokens carry `amr`, and `acr` where it is known: always, only if `acr_values` or
            `max_age` was sent, or never (the Lite plan).
        password_acr: The `acr` of a sign-in by password, or None for none.
        session_with_identity_provider: A request that names a provider while the browser has a session from that very
            provider: `"reuse"` goes on with the session, `"ask"` sends the person to the provider again.
        only_provider_is_chosen: Whether an app client whose only provider is an external one skips the login page.
        identities_issuer: Whether `identities` names the provider's issuer. The guide's example has null.
        upstream_pkce: Whether a pool sends a PKCE challenge to an upstream OpenID provider.
        upstream_token_error: With which words a provider's refusal at its token endpoint is relayed: `Corp Error - 400
            ...` as the guide has it, or `Bad token response: HTTP/1.1 400 ...` as was seen.
        state_reencoded: Whether `&` and `=` in a state come back unescaped, so that what follows becomes parameters of
            its own, as was seen of states that are JSON or a query string.
        cancel_button: Whether the login page has a button that gives up with `access_denied`, as pages of other
            providers have. Cognito's own has none.
        upstream_timeout: Seconds of real time after which a call to an upstream OpenID provider is given up.
    """

    invalid_client_status: Literal[400, 401] = 400
    invalid_client_description: str | None = "invalid_client_secret"
    nonce_on_refresh: bool = False
    machine_scope_not_allowed: Literal["reject", "ignore"] = "reject"
    authorize_scope_not_allowed: Literal["invalid_scope", "invalid_request", "error_page"] = "invalid_scope"
    verifier_without_challenge: Literal["reject", "ignore"] = "reject"
    refresh_reuse_revokes_sign_in: bool = False
    revoke_secret_in_body: bool = True
    userinfo_by_post: bool = False
    userinfo_missing_scope_status: Literal[401, 403] = 401
    logout_keeps_pkce: bool = False
    both_issuer_hosts: bool = True
    key_set_max_age: int | None = None
    authentication_context: Literal["always", "on_request", "never"] = "always"
    password_acr: str | None = "urn:cognito:loa:1"
    session_with_identity_provider: Literal["reuse", "ask"] = "reuse"
    only_provider_is_chosen: bool = True
    identities_issuer: bool = False
    upstream_pkce: bool = False
    upstream_token_error: Literal["provider_error", "bad_token_response"] = "provider_error"
    state_reencoded: bool = False
    cancel_button: bool = False
    upstream_timeout: float = 5.0
