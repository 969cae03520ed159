-- name: find_cache
-- The exact key first, else the newest that this scope may read: production's own, a preview's own and production's.
update build_caches set used_at = now() where (project_id, key) = (
    select project_id, key from build_caches
    where project_id = $1 and (scope = $2 or scope = 'production')
    order by key = $3 desc, scope = $2 desc, created_at desc
    limit 1
)
returning key, digest, bytes

-- name: has_cache
select exists (select from build_caches where project_id = $1 and key = $2)

-- name: put_cache
insert into build_caches (project_id, scope, key, digest, bytes) values ($1, $2, $3, $4, $5)
on conflict (project_id, key) do update set digest = $4, bytes = $5, created_at = now(), used_at = now()

-- name: drop_cache
delete from build_caches where project_id = $1 and key = $2

-- name: drop_old_caches
-- All but the newest of the project, and at most a hundred of anybody's that nothing has used for long.
with ranked as (
    select project_id, key, row_number() over (partition by project_id, scope order by created_at desc) as place
    from build_caches where project_id = $1
), old as (
    select project_id, key from ranked where place > $2
    union
    (select project_id, key from build_caches where used_at < now() - $3::interval order by used_at limit 100)
)
delete from build_caches c using old where c.project_id = old.project_id and c.key = old.key
returning c.project_id, c.key

-- name: last_slug
select slug from built_slugs where project_id = $1 and environment = $2 and content = $3

-- name: set_last_slug
insert into built_slugs (project_id, environment, content, slug) values ($1, $2, $3, $4)
on conflict (project_id, environment) do update set content = $3, slug = $4
