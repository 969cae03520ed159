drop index api_tokens_project;
drop index project_members_team;
drop table invitations;
