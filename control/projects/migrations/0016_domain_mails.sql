-- A state that the owners of the team are still to be told by mail, '' for none, and since when.
alter table domains add column owed text not null default '';
alter table domains add column owed_at timestamptz not null default now();
create index domains_owed on domains (id) where owed <> '';
