-- name: list
select name, sealed, updated_at from env_vars where project_id = $1 order by name;

-- name: put
insert into env_vars (project_id, name, sealed) values ($1, $2, $3)
on conflict (project_id, name) do update set sealed = excluded.sealed, updated_at = now();

-- name: remove
delete from env_vars where project_id = $1 and name = any($2::text[]);
