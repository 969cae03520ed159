-- name: list
select m.account_id, a.email, a.name, m.role, m.created_at, t.account_id is not null as in_team
from project_members m join accounts a on a.id = m.account_id
    left join team_members t on t.team_id = m.team_id and t.account_id = m.account_id
where m.project_id = $1 and m.team_id = $2 order by m.created_at, m.account_id;

-- name: get
select m.account_id, a.email, a.name, m.role, m.created_at, t.account_id is not null as in_team
from project_members m join accounts a on a.id = m.account_id
    left join team_members t on t.team_id = m.team_id and t.account_id = m.account_id
where m.project_id = $1 and m.team_id = $2 and m.account_id = $3;

-- name: count
select count(*) from project_members where project_id = $1;

-- name: held
select count(*) from project_members where account_id = $1;

-- name: set
insert into project_members (project_id, team_id, account_id, role) values ($1, $2, $3, $4)
on conflict (project_id, account_id) do update set role = excluded.role, team_id = excluded.team_id;

-- name: remove
delete from project_members where project_id = $1 and team_id = $2 and account_id = $3;

-- name: forget_roles
delete from project_members where project_id = $1;

-- name: move_roles
-- A team that is gone by now has given the project to another one, whose event follows.
update project_members set team_id = $2 where project_id = $1 and exists (select 1 from teams where id = $2);

-- name: forget_tokens
delete from api_tokens where project_id = $1 and account_id is null;

-- name: forget_invitations
delete from invitations where project_id = $1 and accepted_at is null;
