-- name: lock_bootstrap
select pg_advisory_xact_lock($1);

-- name: owner
select id, email, name from accounts where is_owner;

-- name: get
select id, email, name from accounts where id = $1;

-- name: insert_owner
insert into accounts (id, email, name, is_owner) values ($1, $2, $3, true);

-- name: insert_personal_team
-- The id is made of the account's; the slug is free by that.
insert into teams (id, name, slug, personal_of) values ('tem_' || substr($1, 5), $2, 'u-' || substr($1, 5), $1);

-- name: insert_personal_role
insert into team_members (team_id, account_id, role) values ('tem_' || substr($1, 5), $1, 'OWNER');
