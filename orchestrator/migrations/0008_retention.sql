-- the object of a release that is no longer kept has been deleted
alter table releases add column artifact_deleted boolean not null default false;
create index releases_artifact on releases (artifact);
