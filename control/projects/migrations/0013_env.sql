-- Which environments a variable is for: all, production, preview (all of them), or preview/<branch>.
alter table env_vars add column environment text not null default 'all';
-- A secret's value leaves the platform only for what it runs.
alter table env_vars add column secret boolean not null default false;
alter table env_vars drop constraint env_vars_pkey;
alter table env_vars add primary key (project_id, environment, name);

-- Grows with every change of a project's settings, variables or rules, so that nobody overwrites what they have not seen.
alter table projects add column version bigint not null default 1;

-- The deployment whose commit was built again.
alter table deployments add column redeploy_of text not null default '';
create index deployments_of_environment on deployments (project_id, environment, arrival desc);
