delete from api_tokens where account_id is null;
alter table api_tokens
    drop constraint api_tokens_whose,
    drop column scopes, drop column project_id, drop column role, drop column team_id, drop column expires_at, drop column last_used_at,
    alter column account_id set not null;
drop table signing_keys;
drop table project_members;
drop table team_members;
drop table teams;
