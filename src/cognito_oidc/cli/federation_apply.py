"""Does at AWS what a plan of two pools needs, and no more: a second run finds nothing to do.

Decides the order: the upstream app client first, since the provider needs its id and secret. What has to be done is
decided by `federation_steps`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cognito_oidc.cli.aws_pools import AwsPools
from cognito_oidc.cli.console import MisconfiguredError
from cognito_oidc.cli.federation_steps import LATER, downstream_step, provider_step, upstream_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cognito_oidc import Federation
    from cognito_oidc.cli.federation_steps import Step

_UPDATE_CLIENT: Final = "UpdateUserPoolClient"


class Apply:
    """One plan at AWS. Everything is read when it is made, and nothing is changed until `do`."""

    def __init__(self, plan: Federation, *, downstream_client_id: str | None) -> None:
        """Read what there is.

        Args:
            plan: The plan; without an upstream app client the one of the planned name is taken.
            downstream_client_id: The app client of the application that is to offer the provider, or None.

        Raises:
            CommandError: boto3 is missing, AWS refused, or an app client that was named is not there.
        """
        self._upstream, self._downstream = AwsPools(plan.upstream.region), AwsPools(plan.downstream.region)
        self._accepted = self._upstream.accepted_arguments(_UPDATE_CLIENT)
        self._plan = plan
        self._upstream_client = self._find_upstream()
        self._provider = self._downstream.provider(plan.downstream.pool_id, plan.provider_name)
        self._application: Mapping[str, Any] | None = None
        if downstream_client_id is not None:
            self._application = _there(self._downstream, plan.downstream.pool_id, downstream_client_id)

    @property
    def plan(self) -> Federation:
        """The plan with its upstream app client, as far as there is one."""
        client = self._upstream_client or {"ClientId": LATER, "ClientSecret": LATER}
        return replace(
            self._plan, upstream_client_id=client["ClientId"], upstream_client_secret=client.get("ClientSecret", "")
        )

    def steps(self) -> list[Step]:
        """Return what has to be done, by what was read."""
        return [step for step in self._steps() if step is not None]

    def do(self, *, change: bool, tell: Callable[[Step], None]) -> list[Step]:
        """Create what is missing, and change what is set otherwise where that is wanted.

        Args:
            change: Whether it is.
            tell: Told each step as soon as it is done.

        Returns:
            What was left.

        Raises:
            CommandError: AWS refused; what was done before stays, and another run goes on from there.
        """
        left: list[Step] = []
        for step in self._steps():  # one after the other: a step is made when those before it are done
            if step is None:
                continue
            if step.changes and not change:
                left.append(step)
                continue
            pools = self._upstream if step.at_upstream else self._downstream
            answer = pools.change(step.operation, step.arguments)
            if step.operation == "create_user_pool_client":
                self._upstream_client = answer["UserPoolClient"]
            tell(step)
        return left

    def _steps(self) -> Iterator[Step | None]:
        yield upstream_step(self._plan, self._upstream_client, self._accepted)
        yield provider_step(self.plan, self._provider)
        if self._application is not None:
            yield downstream_step(self._plan, self._application, self._accepted)

    def _find_upstream(self) -> Mapping[str, Any] | None:
        """Return the app client that the plan names, or the one of the planned name."""
        pool_id, client_id = self._plan.upstream.pool_id, self._plan.upstream_client_id
        if client_id:
            return _there(self._upstream, pool_id, client_id)
        name = str(self._plan.upstream_app_client()["ClientName"])
        same = self._upstream.app_clients(pool_id, name)
        if len(same) > 1:
            raise MisconfiguredError(
                f"{len(same)} app clients of {pool_id} are called {name}: name one with --upstream-client-id"
            )
        return _there(self._upstream, pool_id, same[0]) if same else None


def _there(pools: AwsPools, pool_id: str, client_id: str) -> Mapping[str, Any]:
    found = pools.app_client(pool_id, client_id)
    if found is None:
        raise MisconfiguredError(f"user pool {pool_id} has no app client {client_id}")
    return found
