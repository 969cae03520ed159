drop index releases_kept;
alter table releases drop column retired_at;
alter table releases drop column command_done;
drop index deployments_warm;
drop index deployments_of_release;
alter table deployments drop column warm_until;
alter table deployments drop column measured;
alter table deployments drop column canary;
alter table deployments drop column made_of;
