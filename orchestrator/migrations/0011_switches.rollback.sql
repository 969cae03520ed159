drop index deployments_unmeasured;
alter table deployments drop column flipped_at;
