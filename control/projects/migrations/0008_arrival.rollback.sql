drop index deployments_of_project;
create index deployments_of_project on deployments (project_id, id desc);
alter table deployments drop column arrival;
