-- name: hearing
-- Locked against deletion until the transaction ends, so that what is written for them has something to refer to.
select h.id, coalesce(p.team_id, $2) as team_id, coalesce(p.name, '') as project_name
from hooks h left join projects p on p.id = $1
where h.active
  and (h.project_id = $1 or (h.project_id is null and h.team_id = coalesce(p.team_id, $2)))
  and (cardinality(h.events) = 0 or $3 = any(h.events))
  and ($4 = '' or cardinality(h.environments) = 0 or $4 = any(h.environments)
       or (starts_with($4, 'preview/') and 'preview' = any(h.environments)))
order by h.id
for key share of h;

-- name: enqueue
-- As long as fewer than $5 wait for the same hook.
insert into deliveries (id, hook_id, message_id, type, data)
select w.id, w.hook_id, w.id, $3, $4
from unnest($1::text[], $2::text[]) as w (id, hook_id)
where (select count(*) from (select 1 from deliveries d where d.hook_id = w.hook_id and d.state = 'pending' limit $5) q) < $5
returning *;

-- name: enqueue_one
-- As long as fewer than $6 wait, and the hook is there and switched on.
insert into deliveries (id, hook_id, message_id, type, data)
select $1, h.id, coalesce(nullif($3, ''), $1), $4, $5
from hooks h
where h.id = $2 and h.active
  and (select count(*) from (select 1 from deliveries d where d.hook_id = h.id and d.state = 'pending' limit $6) q) < $6
returning *;

-- name: drop
update hooks set dropped = dropped + 1 where id = any($1::text[]);

-- name: insert
insert into hooks (id, team_id, project_id, name, kind, target, host, secrets, events, environments)
values ($1, nullif($2, ''), nullif($3, ''), $4, $5, $6, $7, $8, $9, $10)
returning *;

-- name: count
select count(*) from hooks where coalesce(project_id, team_id) = $1;

-- name: list
select * from hooks where coalesce(project_id, team_id) = $1 order by created_at, id;

-- name: get
select * from hooks where id = $1 and coalesce(project_id, team_id) = $2;

-- name: lock
select * from hooks where id = $1 and coalesce(project_id, team_id) = $2 for no key update;

-- name: update
-- Switched on, it begins anew; what made the platform switch it off is forgotten.
update hooks
set name = $2, target = $3, host = $4, events = $5, environments = $6, active = $7, updated_at = now(),
    disabled_reason = case when $7 then '' else disabled_reason end,
    disabled_at = case when $7 then null else disabled_at end,
    owner_told = owner_told or $7,
    failing_since = case when $7 and not active then null else failing_since end
where id = $1
returning *;

-- name: rotate
update hooks set secrets = $2, old_until = now() + make_interval(secs => $3), updated_at = now() where id = $1 returning *;

-- name: delete
delete from hooks where id = $1 and coalesce(project_id, team_id) = $2 returning *;

-- name: deliveries
select * from deliveries
where hook_id = $1 and ($2 = '' or position < (select position from deliveries where id = $2 and hook_id = $1))
order by position desc
limit $3;

-- name: delivery
select * from deliveries where id = $1 and hook_id = $2;

-- name: attempts
select * from delivery_attempts where delivery_id = $1 order by number;

-- name: claim
-- One hook that has something due and that nobody works for, the longest due first; not of the hosts in $3, which have
-- enough to do.
update hooks set leased_by = $1, leased_until = now() + make_interval(secs => $2)
where id in (
    select h.id
    from hooks h join (
        select d.hook_id, d.next_at
        from deliveries d join hooks q on q.id = d.hook_id
        where d.state = 'pending' and d.next_at <= now()
          and q.active and (q.leased_until is null or q.leased_until < now()) and q.host <> all($3::text[])
        order by d.next_at
        limit 50) w on w.hook_id = h.id
    where h.active and (h.leased_until is null or h.leased_until < now())
    order by w.next_at
    limit 1
    for no key update of h skip locked)
returning *;

-- name: due
select d.*, coalesce(h.team_id, p.team_id) as of_team
from deliveries d join hooks h on h.id = d.hook_id left join projects p on p.id = h.project_id
where d.hook_id = $1 and d.state = 'pending' and d.next_at <= now()
order by d.position
limit 1;

-- name: free
-- Only for whoever holds the lease; $3 says whether the attempt went well, null that there was none.
update hooks
set leased_by = null, leased_until = null,
    failing_since = case when $3::boolean then null when $3 is null then failing_since
                         else coalesce(failing_since, now()) end
where id = $1 and leased_by = $2
returning failing_since < now() - make_interval(days => $4) as hopeless;

-- name: note
insert into delivery_attempts (delivery_id, number, request_headers, status, response_headers, response_body, error,
                               duration_ms)
select id, attempts + 1, $2, $3, $4, $5, $6, $7 from deliveries where id = $1;

-- name: settle
-- $3: seconds until the next attempt, null for none.
update deliveries
set attempts = attempts + 1,
    state = case when state = 'pending' then $2 else state end,
    next_at = now() + make_interval(secs => coalesce($3, 0)),
    finished_at = case when $2 = 'pending' then finished_at else coalesce(finished_at, now()) end
where id = $1;

-- name: disable
update hooks set active = false, disabled_reason = $2, disabled_at = now(), owner_told = false where id = $1;

-- name: give_up
update deliveries set state = 'failed', finished_at = now() where hook_id = $1 and state = 'pending';

-- name: untold
select h.*, coalesce(h.team_id, p.team_id) as of_team, coalesce(p.name, '') as project_name
from hooks h left join projects p on p.id = h.project_id
where not h.owner_told
order by h.disabled_at
limit 20;

-- name: told
update hooks set owner_told = true where id = $1;

-- name: forget
delete from deliveries where id in (
    select id from deliveries where state <> 'pending' and finished_at < now() - make_interval(days => $1) limit 1000);
