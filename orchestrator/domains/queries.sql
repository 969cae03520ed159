-- name: accept_list
-- Nothing when a newer list of the environment was heard before.
insert into host_lists as known (project_id, environment, ordinal) values ($1, $2, $3)
on conflict (project_id, environment) do update set ordinal = excluded.ordinal, changed_at = now()
where known.ordinal < excluded.ordinal
returning ordinal;

-- name: give_up
-- The hosts of an environment that are not in its newest list. Since when, nobody knows: another one may have been given
-- them by any list after the one that said so last, whose number therefore stays.
update hosts set project_id = '', environment = '', changed_at = now()
where project_id = $1 and environment = $2 and host <> all($3::text[])
returning host;

-- name: take
-- Nothing when somebody has it by a later list, or gave it up by one.
insert into hosts as known (host, project_id, environment, location, status, ordinal)
values ($1, $2, $3, $4, $5, $6)
on conflict (host) do update set
    project_id = excluded.project_id, environment = excluded.environment, location = excluded.location,
    status = excluded.status, ordinal = excluded.ordinal, changed_at = now()
where known.ordinal < excluded.ordinal
returning host;

-- name: forget
-- Events are kept for seven days (kernel/streams/relay.py); none can come after that.
with gone as (
    delete from host_lists l
    where l.changed_at < now() - interval '8 days'
      and not exists (select from hosts h where h.project_id = l.project_id and h.environment = l.environment)
)
delete from hosts where project_id = '' and changed_at < now() - interval '8 days';

-- name: hosts_of
select host, location, status from hosts where project_id = $1 and environment = $2 order by host;

-- name: own_route
-- What serves in an environment at the platform's own host: a canary's share included, none while nothing is live.
select r.record from deployments d join routes r on r.host = d.host and r.path = '/' and r.project_id = d.project_id
where d.project_id = $1 and d.environment = $2 and (d.state = 'LIVE' or (d.state = 'PROVISIONING' and d.flipped))
order by d.state = 'LIVE' limit 1;

-- name: known_lists
select project_id, environment, ordinal from host_lists where project_id = any($1::text[]);
