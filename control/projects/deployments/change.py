"""What a change of settings makes of an environment: a deployment of kind "config", in the change's transaction."""

from __future__ import annotations

from control.projects.catalog.service import lock
from control.projects.deployments.service import Request, add, live_in
from control.projects.previews.service import PreviewLimits
from kernel import ids
from kernel.authority import Permission, Resource, require
from kernel.database.pool import Transaction
from kernel.deployments import Kind


async def deploy_change(
    tx: Transaction, project_id: str, environment: str, actor_id: str, limits: PreviewLimits
) -> str:
    """Asks for what is live in an environment with the settings of now.

    Whoever calls has asked whether the settings may be changed. That they are deployed is a permission of its own,
    which a token may lack.

    Returns:
        The id of the deployment; "" when nothing is live there.

    Raises:
        ShipoffError: PERMISSION_DENIED, and as `add`.
    """
    require(Permission.DEPLOYMENT_CREATE, Resource(await lock(tx, project_id), project_id))
    if not await live_in(tx, project_id, environment):
        return ""
    wanted = Request(ids.new("dep"), project_id, environment, actor_id=actor_id, kind=Kind.CONFIG)
    await add(tx, wanted, limits)
    return wanted.deployment_id
