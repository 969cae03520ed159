-- when a deployment's routes were flipped, for who measures what that cost
alter table deployments add column flipped_at timestamptz;
create index deployments_unmeasured on deployments (flipped_at) where measured = '{}' and flipped_at is not null;
