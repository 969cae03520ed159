alter table projects add column account_id text;
update projects set account_id = 'acc_' || substr(team_id, 5);
alter table projects alter column account_id set not null;
drop index projects_team;
alter table projects drop column team_id;
create index projects_account on projects (account_id, name);
