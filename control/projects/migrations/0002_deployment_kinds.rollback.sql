drop index deployments_of_release;
alter table deployments drop column kind;
