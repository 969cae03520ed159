-- name: lock_bootstrap
select pg_advisory_xact_lock($1);

-- name: owner
select id, email, name from accounts where is_owner;

-- name: get
select id, email, name from accounts where id = $1;

-- name: insert_owner
-- Who starts the platform needs no mail to prove it.
insert into accounts (id, email, name, is_owner, verified_at) values ($1, $2, $3, true, now());

-- name: insert_personal_team
-- The id is made of the account's; the slug is free by that.
insert into teams (id, name, slug, personal_of) values ('tem_' || substr($1, 5), $2, 'u-' || substr($1, 5), $1);

-- name: insert_personal_role
insert into team_members (team_id, account_id, role) values ('tem_' || substr($1, 5), $1, 'OWNER');

-- name: insert
-- Nothing comes back when somebody has the address.
insert into accounts (id, email, name, password_hash, verified_at)
values ($1, $2, $3, $4, case when $5 then now() end)
on conflict ((lower(email))) do nothing returning id;

-- name: find
select id, email, name, verified_at is not null as verified from accounts where lower(email) = lower($1) for update;

-- name: register_again
update accounts set name = $2, password_hash = $3 where id = $1;

-- name: verify
-- The password comes with the link: of several registrations of one address, the one whose link is opened counts.
update accounts set verified_at = now(), name = coalesce($2, name), password_hash = coalesce($3, password_hash)
where id = $1 and verified_at is null returning email;

-- name: registered
select id, email, name, password_hash from accounts where lower(email) = lower($1) and verified_at is null;

-- name: lock
select id, email, name, is_owner from accounts where id = $1 for update;

-- name: rename
update accounts set name = $2 where id = $1;

-- name: set_email
update accounts set email = $2, verified_at = coalesce(verified_at, now()) where id = $1;

-- name: has_address
select exists (select from accounts where lower(email) = lower($1));

-- name: details
select a.id, a.email, a.name, a.is_owner, a.created_at, a.verified_at is not null as verified,
    a.password_hash is not null as has_password,
    exists (select from two_factor f where f.account_id = a.id and f.confirmed_at is not null) as two_factor
from accounts a where a.id = $1;

-- name: shared_teams
-- Teams that would be without their owner, or take others' work with them.
select t.slug from teams t join team_members m on m.team_id = t.id and m.account_id = $1 and m.role = 'OWNER'
where t.personal_of is null
    or exists (select from team_members o where o.team_id = t.id and o.account_id <> $1)
    or exists (select from project_members o where o.team_id = t.id and o.account_id <> $1)
order by t.slug limit 5;

-- name: sweep
-- Whose address nobody proves within a week; no link is good by then, and nobody has been in.
delete from accounts a
where verified_at is null and not is_owner and created_at < now() - interval '7 days'
    and not exists (select from api_tokens t where t.account_id = a.id);

-- name: delete
delete from accounts where id = $1;
