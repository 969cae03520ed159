alter table env_vars drop column scope;
