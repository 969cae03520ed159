-- name: lock
-- Whoever changes a team or its members holds this row, so that rules about all members (the last owner) hold.
select id, name, slug, personal_of from teams where id = $1 for no key update;

-- name: lock_account
-- Whoever adds memberships of an account holds this one, always after the team's.
select id from accounts where id = $1 for no key update;

-- name: memberships
select count(*) from team_members where account_id = $1;

-- name: insert
insert into teams (id, name, slug) values ($1, $2, $3) on conflict (slug) do nothing returning *;

-- name: add_member
insert into team_members (team_id, account_id, role) values ($1, $2, $3);

-- name: find
select t.*, coalesce(m.role, '') as role
from teams t left join team_members m on m.team_id = t.id and m.account_id = $2
where t.id = $1 or t.slug = $1;

-- name: mine
select t.*, m.role from team_members m join teams t on t.id = m.team_id where m.account_id = $1 order by t.name, t.id;

-- name: update
update teams set name = $2, slug = $3 where id = $1;

-- name: delete
delete from teams where id = $1;
