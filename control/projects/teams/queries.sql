-- name: lock
select pg_advisory_xact_lock(hashtextextended($1, 7301));

-- name: lock_shared
select pg_advisory_xact_lock_shared(hashtextextended($1, 7301));

-- name: owned
select count(*) from projects where team_id = $1;

-- name: close
insert into closed_teams (team_id) values ($1) on conflict do nothing;

-- name: is_closed
select exists (select 1 from closed_teams where team_id = $1);

-- name: delete_hooks
delete from hooks where team_id = $1;
