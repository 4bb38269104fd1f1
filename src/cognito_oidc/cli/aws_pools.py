"""User pools as AWS's API shows them, by boto3 (extra `aws`).

Decides how a session is made and how AWS's errors are told. Decides nothing about what the settings should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cognito_oidc.cli.console import CommandError, MisconfiguredError
from cognito_oidc.cli.exit_codes import ExitCode
from cognito_oidc.errors import clean_server_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_THERE: Final = "ResourceNotFoundException"
_DENIED: Final = ("AccessDenied", "AccessDeniedException", "NotAuthorizedException")
_PAGE: Final = 60  # M: the most that a page of ListIdentityProviders and ListUserPoolClients holds


class AwsPools:
    """The user pools of one Region. Every error of AWS becomes a `CommandError`, without what was sent."""

    def __init__(self, region: str) -> None:
        """Make a session from the environment, as the AWS command line does. Nothing is sent yet.

        Raises:
            MisconfiguredError: boto3 is not installed, or its configuration cannot be used.
        """
        try:
            import boto3
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise MisconfiguredError("this needs boto3: pip install 'cognito-oidc[cli,aws]'") from None
        try:
            self._client = boto3.Session().client("cognito-idp", region_name=region)
        except BotoCoreError as error:
            raise MisconfiguredError(str(error)) from None

    def user_pool(self, pool_id: str) -> Mapping[str, Any]:
        """Return what DescribeUserPool shows."""
        return self._call("describe_user_pool", UserPoolId=pool_id)["UserPool"]  # type: ignore[no-any-return]

    def app_client(self, pool_id: str, client_id: str) -> Mapping[str, Any] | None:
        """Return what DescribeUserPoolClient shows, the secret among it, or None where there is no such client."""
        found = self._find("describe_user_pool_client", UserPoolId=pool_id, ClientId=client_id)
        return None if found is None else found["UserPoolClient"]

    def app_clients(self, pool_id: str, name: str) -> tuple[str, ...]:
        """Return the ids of the app clients of this name."""
        every = self._pages("list_user_pool_clients", "UserPoolClients", UserPoolId=pool_id)
        return tuple(each["ClientId"] for each in every if each.get("ClientName") == name)

    def provider(self, pool_id: str, name: str) -> Mapping[str, Any] | None:
        """Return what DescribeIdentityProvider shows, or None where there is no such provider."""
        found = self._find("describe_identity_provider", UserPoolId=pool_id, ProviderName=name)
        return None if found is None else found["IdentityProvider"]

    def providers(self, pool_id: str) -> tuple[str, ...]:
        """Return the names of the pool's external providers."""
        every = self._pages("list_identity_providers", "Providers", UserPoolId=pool_id)
        return tuple(each["ProviderName"] for each in every)

    def managed_login_version(self, domain: str) -> int | None:
        """Return 2 for a domain with managed login, 1 for the classic hosted UI, None where AWS does not say."""
        found = self._call("describe_user_pool_domain", Domain=domain)["DomainDescription"].get("ManagedLoginVersion")
        return int(found) if found is not None else None

    def has_branding(self, pool_id: str, client_id: str) -> bool:
        """Tell whether an app client has a branding style."""
        arguments = {"UserPoolId": pool_id, "ClientId": client_id}
        return self._find("describe_managed_login_branding_by_client", **arguments) is not None

    def accepted_arguments(self, operation: str) -> frozenset[str]:
        """Return the arguments that an operation takes, such as those of UpdateUserPoolClient."""
        return frozenset(self._client.meta.service_model.operation_model(operation).input_shape.members)

    def change(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create or update something: `create_user_pool_client`, `update_identity_provider` and the like."""
        return self._call(operation, **arguments)

    def _pages(self, operation: str, member: str, **arguments: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - boto3
        """Return every page of a list."""
        found: list[Mapping[str, Any]] = []
        while True:
            page = self._call(operation, MaxResults=_PAGE, **arguments)
            found += page[member]
            if not page.get("NextToken"):
                return found
            arguments["NextToken"] = page["NextToken"]

    def _find(self, operation: str, **arguments: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - boto3 has no types
        try:
            return self._call(operation, **arguments)
        except NotThereError:
            return None

    def _call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401 - the same
        from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004

        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(**arguments)
        except ClientError as error:
            raise _refused(operation, error.response.get("Error", {})) from None
        except (ConnectionError, HTTPClientError) as error:
            raise CommandError(f"AWS cannot be reached: {type(error).__name__}", ExitCode.NETWORK) from None
        except BotoCoreError as error:  # no credentials, a wrong argument: boto3 names the argument, not its value
            raise MisconfiguredError(f"AWS cannot be asked: {error}") from None
        return answer


class NotThereError(CommandError):
    """There is no such pool, app client or provider."""


def _refused(operation: str, error: Mapping[str, str]) -> CommandError:
    code, words = error.get("Code", "an error"), clean_server_text(error.get("Message", "")) or "no reason"
    called = "".join(word.capitalize() for word in operation.split("_"))
    message = f"AWS refused {called}: {code}, {words}"
    if code == _NOT_THERE:
        return NotThereError(message, ExitCode.CONFIGURATION)
    return CommandError(message, ExitCode.DENIED if code in _DENIED else ExitCode.FAILED)
