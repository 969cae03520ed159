drop index deployments_unfinished_of_owner;
alter table deployments drop column owner, drop column kind;
drop table leases;
drop sequence lease_tokens;
