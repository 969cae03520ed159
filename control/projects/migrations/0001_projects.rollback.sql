alter table projects drop constraint projects_live_deployment_id_fkey;
drop table deployments;
drop table env_vars;
drop table projects;
