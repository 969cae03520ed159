"""A project's env vars."""

from __future__ import annotations

from control.gateway.call import Call
from control.gateway.models import env as models
from proto.projects.v1 import env_pb2


async def show(call: Call, query: models.EnvQuery) -> models.EnvShape:
    """GET /v1/projects/{project}/env: shows a project's variables; secrets are there without their values."""
    request = env_pb2.ListEnvRequest(project_id=call.found.id, environment=query.environment)
    return models.env(await call.clients.env.ListEnv(request))


async def change(call: Call, body: models.ChangeEnv) -> models.EnvShape:
    """PUT /v1/projects/{project}/env: changes variables of one environment.

    What is live there gets them at once, unless `deploy` is false; nothing is built. What is for all environments goes
    to production at once and to previews with their next deployment, as what is for all previews does. With `scope` the
    variables that are set are given to builds or to what runs only.
    """
    request = env_pb2.SetEnvRequest(
        project_id=call.found.id,
        set=body.set,
        unset=body.unset,
        deploy=body.deploy,
        actor_id=call.who.actor_id,
        scope=body.scope,
        environment=body.environment,
        secret=body.secret,
        expect_version=body.expect_version,
    )
    return models.env(await call.clients.env.SetEnv(request))


async def read_file(call: Call, body: models.ImportEnv) -> models.EnvImportShape:
    """POST /v1/projects/{project}/env/import: sets the variables of a `.env` file, or says what that would change.

    All of it or, when a line is refused, none; a refusal names every such line.
    """
    request = env_pb2.ImportEnvRequest(
        project_id=call.found.id,
        text=body.text,
        environment=body.environment,
        scope=body.scope,
        secret=body.secret,
        replace=body.replace,
        dry_run=body.dry_run,
        deploy=body.deploy,
        actor_id=call.who.actor_id,
        expect_version=body.expect_version,
    )
    return models.imported(await call.clients.env.ImportEnv(request), dry_run=body.dry_run)


async def write_file(call: Call, query: models.EnvQuery) -> models.EnvExportShape:
    """GET /v1/projects/{project}/env/export: writes the variables of one environment (else `all`) as a `.env` file."""
    request = env_pb2.ListEnvRequest(project_id=call.found.id, environment=query.environment)
    found = await call.clients.env.ExportEnv(request)
    return {"text": found.text, "secrets": list(found.secrets)}
