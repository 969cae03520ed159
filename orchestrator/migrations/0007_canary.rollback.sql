alter table deployments drop column canary_state;
