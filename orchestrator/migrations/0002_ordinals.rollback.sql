alter table deployments drop column ordinal;
