-- name: lock_bootstrap
select pg_advisory_xact_lock($1);

-- name: owner
select id, email, name from accounts where is_owner;

-- name: get
select id, email, name from accounts where id = $1;

-- name: insert_owner
insert into accounts (id, email, name, is_owner) values ($1, $2, $3, true);
