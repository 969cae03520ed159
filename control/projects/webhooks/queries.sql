-- name: lane_lock
-- One writer a lane: the numbers of arrival are those of the commits, and the count below holds.
select pg_advisory_xact_lock(hashtextextended($1, 5));

-- name: known
select id from webhook_deliveries where scope = $1 and (delivery = $2 or digest = $3) limit 1;

-- name: waiting
select count(*) from webhook_deliveries where lane = $1 and state in ('queued', 'running');

-- name: insert
insert into webhook_deliveries (id, scope, delivery, digest, provider, link_id, event, lane, payload)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict do nothing
returning id;

-- name: concerns_repository
-- Whether an App's delivery for a repository is for any link at all.
select exists (
    select from repository_links where provider = 'github' and installation_id = $1 and repository_id = $2
);

-- name: concerns_installation
select exists (select from installations where id = $1);

-- name: claim
-- The oldest of a lane that has none under way, and nothing older that waits: a lane keeps its order.
update webhook_deliveries d
set state = 'running', attempts = d.attempts + 1, leased_until = now() + make_interval(secs => $1)
where d.id = (
    select q.id
    from webhook_deliveries q
    where ((q.state = 'queued' and q.next_at <= now())
           or (q.state = 'running' and q.leased_until < now() and q.attempts < $2))
      and not exists (
          select from webhook_deliveries e
          where e.lane = q.lane and e.arrival < q.arrival and e.state in ('queued', 'running')
      )
    order by q.arrival
    limit 1
    for update skip locked
)
returning d.*;

-- name: bury_lost
-- Whoever worked on it was gone each time.
update webhook_deliveries
set state = 'dead', error = 'the service ended while it worked on this, each time', done_at = now(), leased_until = null
where state = 'running' and leased_until < now() and attempts >= $1;

-- name: finish
update webhook_deliveries
set state = 'done', outcomes = $3, error = '', done_at = now(), leased_until = null
where id = $1 and state = 'running' and attempts = $2;

-- name: retry
update webhook_deliveries
set state = 'queued', next_at = now() + make_interval(secs => $3), error = $4, leased_until = null
where id = $1 and state = 'running' and attempts = $2;

-- name: bury
update webhook_deliveries
set state = 'dead', error = $3, done_at = now(), leased_until = null
where id = $1 and state = 'running' and attempts = $2;

-- name: next_due_s
-- Seconds until one that waits may be tried.
select extract(epoch from min(coalesce(leased_until, next_at)) - now())::float8
from webhook_deliveries where state in ('queued', 'running');

-- name: prune
delete from webhook_deliveries
where state in ('done', 'dead') and received_at < now() - make_interval(days => $1);

-- name: list
-- Of a project: what came for its repository since it was linked.
select d.id, d.provider, d.event, d.delivery, d.state, d.attempts, d.error, d.received_at, d.done_at,
       length(d.payload) as bytes, d.outcomes
from webhook_deliveries d
join repository_links l on l.project_id = $1
where d.lane = case when l.provider = 'github' then 'github/' || l.repository_id else l.id end
  and d.received_at >= l.created_at and ($3 = '' or d.id < $3) and ($4 = '' or d.id = $4)
order by d.id desc
limit $2;

-- name: again
-- Back into the queue, behind what came since, for one project; what became of it in the others stays.
update webhook_deliveries
set state = 'queued', attempts = 0, next_at = now(), error = '', done_at = null, arrival = default, only_project = $2,
    outcomes = (
        select coalesce(jsonb_agg(o), '[]') from jsonb_array_elements(outcomes) o where o ->> 'project_id' <> $2
    )
where id = $1 and state in ('done', 'dead')
returning id;
