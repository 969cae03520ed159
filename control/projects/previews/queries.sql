-- name: touch
-- Says whether it is new.
insert into previews (project_id, environment, expires_at) values ($1, $2, now() + make_interval(days => $3))
on conflict (project_id, environment) do update set deployed_at = now(), expires_at = excluded.expires_at
returning xmax = 0 as made;

-- name: others
select count(*) from previews where project_id = $1 and environment <> $2;

-- name: list
select environment, created_at, deployed_at, expires_at from previews where project_id = $1 order by environment;

-- name: remove
delete from previews where project_id = $1 and environment = $2 returning environment;

-- name: expired
select project_id, environment from previews where expires_at <= now() order by expires_at limit 100;
