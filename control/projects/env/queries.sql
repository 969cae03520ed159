-- name: list
select name, sealed, scope, environment, secret, updated_at from env_vars where project_id = $1
order by name, environment;

-- name: put
insert into env_vars (project_id, environment, name, sealed, scope, secret) values ($1, $2, $3, $4, $5, $6)
on conflict (project_id, environment, name) do update set
    sealed = excluded.sealed, scope = excluded.scope, secret = excluded.secret, updated_at = now();

-- name: remove
delete from env_vars where project_id = $1 and environment = $2 and name = any($3::text[]);
