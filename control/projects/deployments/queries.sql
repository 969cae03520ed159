-- name: insert
insert into deployments (id, project_id, environment, state, commit_id, ref, message, actor_id, kind, redeploy_of)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (id) do nothing
returning *;

-- name: next_ordinal
-- Asked for while the project is locked, so the numbers of a project grow in the order of its commits.
select nextval('deployment_ordinals');

-- name: get
select * from deployments where id = $1 and ($2 = '' or project_id = $2);

-- name: of_release
select * from deployments where project_id = $1 and release_id = $2 order by arrival limit 1;

-- name: live
select * from deployments where project_id = $1 and environment = $2 and state = 'LIVE' order by arrival desc limit 1;

-- name: list
select * from deployments
where project_id = $1 and ($2 = '' or arrival < (select arrival from deployments where id = $2 and project_id = $1))
  and ($4 = '' or environment = $4)
  and (cardinality($5::text[]) = 0 or state = any($5)) and (cardinality($6::text[]) = 0 or kind = any($6))
order by arrival desc
limit $3;

-- name: move
-- The compare-and-set: $3 are the states from which $2 may be reached, and $2 itself while the work goes on. Whether it
-- came from another state is `moved`.
update deployments d
set state = $2,
    stage = $4,
    reason = $5,
    hint = $6,
    exit_status = $7,
    url = coalesce(nullif($8, ''), d.url),
    release_id = coalesce(nullif($9, ''), d.release_id),
    timings_ms = d.timings_ms || $10,
    updated_at = now()
from (select id, state from deployments where id = $1 for update) before
where d.id = before.id and before.state = any($3::text[])
returning d.*, before.state <> $2 as moved;
