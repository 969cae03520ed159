-- the release that a rollback or a promotion names
alter table deployments add column made_of text not null default '';
-- how the release is tried on part of the requests before it gets them all, and how far that has got
alter table deployments add column canary jsonb not null default '{}';
-- what the routers measured while it took over
alter table deployments add column measured jsonb not null default '{}';
-- an INACTIVE deployment's instances stay up until then, so that going back to it is one flip
alter table deployments add column warm_until timestamptz;
create index deployments_of_release on deployments (release_id);
create index deployments_warm on deployments (warm_until) where warm_until is not null;

-- its release command has succeeded; it runs once
alter table releases add column command_done boolean not null default false;
-- no longer kept: nothing can go back to it, and its artifact may be gone
alter table releases add column retired_at timestamptz;
create index releases_kept on releases (project_id, environment, id) where retired_at is null;
