-- name: by_token
-- The token's account with its roles; or, for a token of a project, the role that the token has there.
select t.id as token_id, t.name as token_name, t.scopes, t.project_id as only_project, a.id, a.email, a.name,
    coalesce(t.last_used_at < now() - interval '1 minute', true) as use_is_news,
    coalesce((select jsonb_object_agg(team_id, role) from team_members where account_id = a.id), '{}') as teams,
    case
        when t.account_id is null then jsonb_build_object(t.project_id, t.role)
        else coalesce((select jsonb_object_agg(project_id, role) from project_members where account_id = a.id), '{}')
    end as projects
from api_tokens t left join accounts a on a.id = t.account_id
where t.secret_hash = $1 and (t.expires_at is null or t.expires_at > now());

-- name: by_session
-- Of an account that has this session, and has it still.
select a.id, a.email, a.name,
    coalesce((select jsonb_object_agg(team_id, role) from team_members where account_id = a.id), '{}') as teams,
    coalesce((select jsonb_object_agg(project_id, role) from project_members where account_id = a.id), '{}') as projects
from accounts a join sessions s on s.account_id = a.id and s.id = $2 and s.revoked_at is null
where a.id = $1;

-- name: used
update api_tokens set last_used_at = now() where id = $1;

-- name: roles_of
select (select role from team_members where account_id = $1 and team_id = $2) as on_team,
    (select role from project_members where account_id = $1 and team_id = $2 and project_id = $3) as on_project;

-- name: hold_project
-- Whoever gives something on a project holds this, always after the team's row and before any other.
select pg_advisory_xact_lock_shared(hashtextextended('project/' || $1, 0));

-- name: lock_project
select pg_advisory_xact_lock(hashtextextended('project/' || $1, 0));
