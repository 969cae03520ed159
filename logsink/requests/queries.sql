-- name: insert_blocks
insert into request_blocks (project_id, first_at_us, last_at_us, requests, classes, raw_bytes, body, stored_bytes)
select project_id, first_at_us, last_at_us, requests, classes, raw_bytes, body, length(body)
from unnest($1::text[], $2::bigint[], $3::bigint[], $4::int[], $5::smallint[], $6::int[], $7::bytea[])
     as t (project_id, first_at_us, last_at_us, requests, classes, raw_bytes, body)

-- name: newest
select position, last_at_us, raw_bytes from request_blocks
where project_id = $1 and last_at_us >= $2 and first_at_us < $3 and classes & $4 <> 0
order by last_at_us desc, position desc limit $5

-- name: bodies
select body from request_blocks where position = any($1::bigint[])

-- name: compactable
select project_id, max(stored_at) < now() - $1::interval as settled from request_blocks
where not sealed
group by project_id
having count(*) >= $2 or (count(*) > 1 and max(stored_at) < now() - $1::interval)
order by count(*) desc limit $3

-- name: lock_project
select pg_try_advisory_xact_lock(hashtextextended($1, 7005))

-- name: unsealed
select position, raw_bytes, level from request_blocks
where project_id = $1 and not sealed
order by first_at_us, position limit $2

-- name: take_bodies
delete from request_blocks where position = any($1::bigint[]) returning body, stored_at

-- name: insert_merged
insert into request_blocks (project_id, first_at_us, last_at_us, requests, classes, raw_bytes, body, stored_bytes,
                            level, sealed, stored_at)
values ($1, $2, $3, $4, $5, $6, $7, length($7::bytea), $8, $9, $10)

-- name: seal
update request_blocks set sealed = true where position = any($1::bigint[])

-- name: seal_old
update request_blocks set sealed = true where not sealed and stored_at < now() - interval '1 day'

-- name: expire_old
delete from request_blocks where position in (
    select position from request_blocks where stored_at < now() - $1::interval order by stored_at limit $2
)

-- name: projects_above
select project_id from request_blocks group by project_id having sum(stored_bytes) > $1

-- name: expire_excess
delete from request_blocks where position in (
    select position from (
        select position, last_at_us, sum(stored_bytes) over (order by last_at_us desc, position desc) as newer
        from request_blocks where project_id = $1
    ) as ranked
    where newer > $2 order by last_at_us limit $3
)

-- name: add_traffic
insert into traffic (project_id, month, requests, sent, updated_at)
select project_id, date_trunc('month', now() at time zone 'UTC')::date, requests, sent, clock_timestamp()
from unnest($1::text[], $2::bigint[], $3::bigint[]) as t (project_id, requests, sent)
order by project_id
on conflict (project_id, month) do update
set requests = traffic.requests + excluded.requests, sent = traffic.sent + excluded.sent, updated_at = excluded.updated_at

-- name: traffic
select project_id, month, requests, sent from traffic
where updated_at >= to_timestamp($1::bigint / 1000.0) and (project_id, month) > ($2, $3::date)
order by project_id, month limit $4
