-- name: list
select name, sealed, scope, updated_at from env_vars where project_id = $1 order by name;

-- name: put
-- Without a scope a variable keeps its own, and a new one goes everywhere.
insert into env_vars (project_id, name, sealed, scope) values ($1, $2, $3, coalesce(nullif($4, ''), 'all'))
on conflict (project_id, name) do update set
    sealed = excluded.sealed, scope = coalesce(nullif($4, ''), env_vars.scope), updated_at = now();

-- name: remove
delete from env_vars where project_id = $1 and name = any($2::text[]);
