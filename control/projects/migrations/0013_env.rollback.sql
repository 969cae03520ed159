drop index deployments_of_environment;
alter table deployments drop column redeploy_of;
alter table projects drop column version;
-- The schema before has no place for these, and the seals of secrets are bound to their being secret.
delete from env_vars where environment <> 'all' or secret;
alter table env_vars drop constraint env_vars_pkey;
alter table env_vars add primary key (project_id, name);
alter table env_vars drop column secret;
alter table env_vars drop column environment;
