-- kernel/deployments.py, Kind
alter table deployments add column kind text not null default 'build';
create index deployments_of_release on deployments (project_id, release_id) where release_id <> '';
