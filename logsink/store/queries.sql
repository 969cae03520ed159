-- name: remember_batches
insert into appends (producer, sequence)
select producer, sequence from unnest($1::text[], $2::bigint[]) as t (producer, sequence)
order by producer, sequence
on conflict do nothing
returning producer, sequence

-- name: take_offsets
insert into projects as p (project_id, last_offset)
select project_id, lines from unnest($1::text[], $2::bigint[]) as t (project_id, lines)
order by project_id
on conflict (project_id) do update set last_offset = p.last_offset + excluded.last_offset
returning project_id, last_offset

-- name: insert_blocks
insert into blocks (project_id, deployment_id, source, first_offset, last_offset, lines, first_at_ns, last_at_ns,
                    raw_bytes, body, stored_bytes)
select project_id, deployment_id, source, first_offset, last_offset, lines, first_at_ns, last_at_ns,
       raw_bytes, body, length(body)
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::int[], $7::bigint[], $8::bigint[],
            $9::int[], $10::bytea[])
     as t (project_id, deployment_id, source, first_offset, last_offset, lines, first_at_ns, last_at_ns, raw_bytes, body)

-- name: last_offset
select last_offset from projects where project_id = $1

-- name: page_of_project
select first_offset, raw_bytes from blocks
where project_id = $1 and $2 = '' and ($3 = '' or source = $3)
  and first_offset > $4 - 65536 and last_offset > $4 and first_offset <= $5
order by first_offset limit $6

-- name: page_of_deployment
select first_offset, raw_bytes from blocks
where project_id = $1 and deployment_id = $2 and ($3 = '' or source = $3)
  and first_offset > $4 - 65536 and last_offset > $4 and first_offset <= $5
order by first_offset limit $6

-- name: bodies
select deployment_id, source, first_offset, body from blocks
where project_id = $1 and first_offset = any($2::bigint[])
order by first_offset

-- name: backwards
select first_offset, last_offset, lines from blocks
where project_id = $1 and ($2 = '' or deployment_id = $2) and ($3 = '' or source = $3)
  and last_offset > $4 and first_offset <= $5 and last_offset < $6
order by last_offset desc limit $7

-- name: compactable
select project_id, deployment_id, source, max(stored_at) < now() - $1::interval as settled from blocks
where not sealed
group by project_id, deployment_id, source
having count(*) >= $2 or (count(*) > 1 and max(stored_at) < now() - $1::interval)
order by count(*) desc limit $3

-- name: lock_key
select pg_try_advisory_xact_lock(hashtextextended($1, 7004))

-- name: unsealed
select first_offset, last_offset, raw_bytes, level from blocks
where project_id = $1 and deployment_id = $2 and source = $3 and not sealed
order by first_offset limit $4

-- name: take_bodies
delete from blocks where project_id = $1 and first_offset = any($2::bigint[])
returning first_offset, body, stored_at

-- name: insert_merged
insert into blocks (project_id, deployment_id, source, first_offset, last_offset, lines, first_at_ns, last_at_ns,
                    raw_bytes, body, stored_bytes, level, sealed, stored_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, length($10::bytea), $11, $12, $13)

-- name: seal
update blocks set sealed = true where project_id = $1 and first_offset = any($2::bigint[])

-- name: seal_old
update blocks set sealed = true where not sealed and stored_at < now() - interval '1 day'

-- name: expire_old
delete from blocks where (project_id, first_offset) in (
    select project_id, first_offset from blocks where stored_at < now() - $1::interval order by stored_at limit $2
)

-- name: projects_above
select project_id from blocks group by project_id having sum(stored_bytes) > $1

-- name: expire_excess
delete from blocks where project_id = $1 and first_offset in (
    select first_offset from (
        select first_offset, sum(stored_bytes) over (order by first_offset desc) as newer from blocks where project_id = $1
    ) as ranked
    where newer > $2 order by first_offset limit $3
)

-- name: forget_batches
delete from appends where (producer, sequence) in (
    select producer, sequence from appends where at < now() - $1::interval limit $2
)
