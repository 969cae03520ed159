-- name: list
select m.account_id, a.email, a.name, m.role, m.created_at, true as in_team
from team_members m join accounts a on a.id = m.account_id
where m.team_id = $1 order by m.created_at, m.account_id;

-- name: get
select m.account_id, a.email, a.name, m.role, m.created_at, true as in_team
from team_members m join accounts a on a.id = m.account_id
where m.team_id = $1 and m.account_id = $2;

-- name: owners
select count(*) from team_members where team_id = $1 and role = 'OWNER';

-- name: count
select count(*) from team_members where team_id = $1;

-- name: set
insert into team_members (team_id, account_id, role) values ($1, $2, $3)
on conflict (team_id, account_id) do update set role = excluded.role;

-- name: remove
delete from team_members where team_id = $1 and account_id = $2;

-- name: remove_project_roles
delete from project_members where team_id = $1 and account_id = $2;
