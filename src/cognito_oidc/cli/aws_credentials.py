"""`cognito-oidc aws-credentials`: AWS credentials for the person who is signed in, by an identity pool.

Decides what is asked of the identity pool and how the answer is written, as AWS's `credential_process` wants it.

Source: AWS SDKs and Tools Reference Guide, "Process credential provider"; Amazon Cognito Developer Guide, "Identity
pools (federated identities) authentication flow", the enhanced flow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from cognito_oidc.cli.console import CommandError, MisconfiguredError
from cognito_oidc.cli.exit_codes import ExitCode
from cognito_oidc.cli.options import profile_options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cognito_oidc import TokenSet
    from cognito_oidc.cli.profiles import Profile

_VERSION: Final = 1  # of the document
# What AWS answers where the ID token, the identity pool and the role do not go together.
_DENIED: Final = frozenset(
    {"AccessDeniedException", "NotAuthorizedException", "InvalidIdentityPoolConfigurationException"}
)


@click.command("aws-credentials")
@profile_options
@click.option("--role-arn", metavar="ARN", help="One of the roles that the ID token or the identity pool allows.")
def aws_credentials(*, profile: Profile, role_arn: str | None) -> None:
    """Write AWS credentials for the person who is signed in.

    Exchanges the ID token at an identity pool (--identity-pool-id) that trusts the user pool and the app client. Needs
    no AWS credentials. They are kept in this user's cache until a quarter of an hour before they expire, or until the
    logout. Needs pip install 'cognito-oidc[cli,aws]'.

    \b
    Examples:
      cognito-oidc aws-credentials --identity-pool-id eu-west-1:1a2b3c4d-...
      aws --profile me s3 ls                  with this in ~/.aws/config:
        [profile me]
        region = eu-west-1
        credential_process = cognito-oidc aws-credentials --profile dev

    \b
    Exit codes:
      0  the credentials are on standard output
      2  the command was used wrongly
      3  nobody is signed in: cognito-oidc login
      4  the sign-in is over, or AWS said no
      5  Cognito or AWS cannot be reached
      6  a setting is wrong, or something is not installed
    """  # noqa: D301 - \b is click's, for lines that stay as they are
    if profile.is_machine:
        raise MisconfiguredError("this is a machine's app client: it has no ID token that an identity pool would take")
    identity_pool_id = profile.need("identity_pool_id")
    import asyncio
    import json

    click.echo(json.dumps(asyncio.run(_credentials(profile, identity_pool_id, role_arn)), indent=2))


async def _credentials(profile: Profile, identity_pool_id: str, role_arn: str | None) -> Mapping[str, object]:
    from cognito_oidc.cli.aws_cache import cached_credentials, keep_credentials
    from cognito_oidc.cli.current_tokens import current_tokens
    from cognito_oidc.cli.sessions import kept_session

    known = await kept_session(profile)
    claims = known.tokens.claims if known is not None else None
    if claims is not None:
        cached = cached_credentials(profile, identity_pool_id, role_arn or "", claims.sub)
        if cached is not None:
            return cached
    tokens = await current_tokens(profile, id_token=True)
    credentials = _exchange(profile, tokens, identity_pool_id, role_arn)
    if tokens.claims is not None:
        keep_credentials(credentials, profile, identity_pool_id, role_arn or "", tokens.claims.sub)
    return credentials


def _exchange(profile: Profile, tokens: TokenSet, identity_pool_id: str, role_arn: str | None) -> Mapping[str, object]:
    """Return what the identity pool gives for the ID token.

    Raises:
        CommandError: It gives nothing, or cannot be reached.
    """
    try:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError
    except ImportError:
        raise MisconfiguredError("AWS credentials need boto3: pip install 'cognito-oidc[cli,aws]'") from None

    from cognito_oidc.cli.progress import Progress

    logins = {_login_name(profile): tokens.id_token}
    role = {"CustomRoleArn": role_arn} if role_arn else {}
    region = identity_pool_id.partition(":")[0]
    try:
        with Progress() as progress:
            progress.step("Asking the identity pool ...")
            # Neither call is signed: the ID token says who asks.
            identities = boto3.client("cognito-identity", region_name=region, config=Config(signature_version=UNSIGNED))
            identity = identities.get_id(IdentityPoolId=identity_pool_id, Logins=logins)
            answer = identities.get_credentials_for_identity(IdentityId=identity["IdentityId"], Logins=logins, **role)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "an error")
        ending = ExitCode.DENIED if code in _DENIED else ExitCode.CONFIGURATION
        raise CommandError(f"the identity pool {identity_pool_id} said {code}", ending) from None
    except (EndpointConnectionError, HTTPClientError) as error:
        message = f"the identity pool {identity_pool_id} cannot be reached: {type(error).__name__}"
        raise CommandError(message, ExitCode.NETWORK) from None
    except BotoCoreError as error:  # such as a parameter that is too long; its text would show the token
        raise MisconfiguredError(f"AWS cannot be asked: {type(error).__name__}") from None
    given = answer["Credentials"]
    expiration: datetime = given["Expiration"]
    return {
        "Version": _VERSION,
        "AccessKeyId": given["AccessKeyId"],
        "SecretAccessKey": given["SecretKey"],
        "SessionToken": given["SessionToken"],
        "Expiration": expiration.isoformat(),
    }


def _login_name(profile: Profile) -> str:
    """Return what identity pools call the user pool: its original issuer without `https://`, also at an emulator."""
    from cognito_oidc import UserPool

    return UserPool(profile.need("pool_id"), dns_suffix=profile.dns_suffix).issuer.removeprefix("https://")
