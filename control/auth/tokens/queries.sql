-- name: insert
insert into api_tokens (id, account_id, name, secret_hash, prefix, scopes, expires_at, project_id, team_id, role)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
returning *;

-- name: ends
select expires_at from api_tokens where id = $1;

-- name: lock_account
select id from accounts where id = $1 for no key update;

-- name: lock_team
select id from teams where id = $1 for no key update;

-- name: forget_old
-- Those that expired lately stay, for whoever wonders why something stopped working.
delete from api_tokens
where (account_id = $1 or (account_id is null and project_id = $2)) and expires_at < now() - interval '30 days';

-- name: count_of_account
select count(*) from api_tokens where account_id = $1 and (expires_at is null or expires_at > now());

-- name: count_of_project
select count(*) from api_tokens
where account_id is null and project_id = $1 and (expires_at is null or expires_at > now());

-- name: of_account
select * from api_tokens where account_id = $1 order by id desc;

-- name: of_project
select * from api_tokens where account_id is null and project_id = $1 and team_id = $2 order by id desc;

-- name: one_of_account
select * from api_tokens where id = $1 and account_id = $2 for update;

-- name: one_of_project
select * from api_tokens where id = $1 and account_id is null and project_id = $2 and team_id = $3 for update;

-- name: delete
delete from api_tokens where id = $1;
