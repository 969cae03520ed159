-- What the owner of the project said of its routes when the release was made; the repository's rules are in the plan.
alter table releases add column rules jsonb not null default '{}';
