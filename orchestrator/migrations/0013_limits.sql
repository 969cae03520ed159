-- What the tenant's plan gave when the deployment was asked for (orchestrator/plan_limits.py).
alter table deployments add column limits jsonb not null default '{}';
create index deployments_of_owner on deployments (owner);
