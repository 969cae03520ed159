drop index deployments_of_owner;
alter table deployments drop column limits;
