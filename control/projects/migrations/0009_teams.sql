-- Projects belong to teams; what an account had goes to the team that it has for itself (auth's 0002_teams.sql).
alter table projects add column team_id text;
update projects set team_id = 'tem_' || substr(account_id, 5);
alter table projects alter column team_id set not null;
drop index projects_account;
alter table projects drop column account_id;
create index projects_team on projects (team_id, name);
