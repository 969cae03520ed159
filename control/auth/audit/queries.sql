-- name: insert
insert into audit_events (id, at, team_id, project_id, action, target, actor_kind, actor_id, actor_name, credential_id,
                          address, request_id, before, after)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (id) do nothing;

-- name: forget
delete from audit_events
where id in (select id from audit_events where recorded_at < now() - make_interval(days => $1) limit $2);

-- name: search
-- Looks at a bounded number of the team's records, newest first, and answers those that match; `edge_id` is the oldest
-- that was looked at when there may be more behind it. One row without a record when none matches.
with looked as (
    select * from audit_events where team_id = $1 and id < $2 and id >= $3 order by id desc limit $4
),
edge as (
    select case when count(*) = $4 then min(id) end as edge_id from looked
),
found as (
    select * from looked
    where ($5 = '' or project_id = $5)
        and ($6 = '' or actor_id = $6 or actor_name = $6 or credential_id = $6)
        and starts_with(action, $7)
        and ($8 = '' or target = $8)
        and ($9 = '' or position(lower($9) in lower(before::text)) > 0 or position(lower($9) in lower(after::text)) > 0)
    order by id desc limit $10
)
select edge.edge_id, found.* from edge left join found on true order by found.id desc;
