-- name: insert
insert into domains (id, project_id, name, environment, redirect_to, redirect_status, token)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (project_id, name) do nothing
returning id;

-- name: count
select count(*) from domains where project_id = $1;

-- name: list
select d.*, p.name as project_name, p.team_id
from domains d join projects p on p.id = d.project_id
where d.project_id = $1 order by d.name;

-- name: get
select d.*, p.name as project_name, p.team_id
from domains d join projects p on p.id = d.project_id
where d.project_id = $1 and (d.id = $2 or d.name = $2);

-- name: sources
-- The domains that redirect to one.
select name from domains where project_id = $1 and redirect_to = $2 and redirect_to <> '' order by name;

-- name: update
update domains set environment = $2, redirect_to = $3, redirect_status = $4 where id = $1;

-- name: revive
-- An expired claim whose owner asks for a look has its time again.
update domains set state = 'pending', claimed_at = now(), checks = 0 where id = $1 and state = 'expired';

-- name: delete
delete from domains where id = $1;

-- name: due
-- Takes what is to be looked at; should the taker die, it is due again in two minutes.
with taken as (
    update domains set check_at = now() + interval '2 minutes'
    where id in (
        select id from domains where state <> 'expired' and check_at <= now()
        order by check_at limit $1 for update skip locked
    )
    returning *
)
select t.*, p.name as project_name, p.team_id from taken t join projects p on p.id = t.project_id;

-- name: database_time
select now();

-- name: lock_project
-- Against everything, as it is about to go.
select id from projects where id = $1 for update;

-- name: lock_name
-- Who may hold a name is decided by one at a time.
select pg_advisory_xact_lock(hashtextextended($1, 7));

-- name: holder
select d.*, p.name as project_name, p.team_id
from domains d join projects p on p.id = d.project_id
where d.name = $1 and d.state in ('verified', 'failing');

-- name: is_anothers
-- Whether a name was last held by another team than $2, or one of the wildcards $3 is held by one now.
select exists (select from domain_holders where name = $1 and team_id <> $2)
    or exists (
        select from domains d join projects p on p.id = d.project_id
        where d.name = any($3::text[]) and d.state in ('verified', 'failing') and p.team_id <> $2
    );

-- name: settle
update domains
set state = $2, proof = $3, problem = $4, looks = $5, checks = $6, absent_s = $7, checked_at = now(), check_at = $8,
    owed = case when $2 = 'verified' then '' when $9 then $2 else owed end,
    owed_at = case when $9 then now() else owed_at end,
    verified_at = case when $2 = 'verified' and state not in ('verified', 'failing') then now() else verified_at end
where id = $1;

-- name: owed
select d.*, p.name as project_name, p.team_id
from domains d join projects p on p.id = d.project_id
where d.owed <> '' order by d.owed_at limit 100;

-- name: paid
update domains set owed = '' where id = $1 and owed = $2;

-- name: note_holder
insert into domain_holders (name, team_id) values ($1, $2)
on conflict (name) do update set team_id = excluded.team_id, at = now();

-- name: environments_of
-- Those in which a domain is served, or redirects to it are.
select distinct environment from domains where project_id = $1 and (name = $2 or redirect_to = $2);

-- name: next_list
insert into domain_lists (project_id, environment, ordinal) values ($1, $2, nextval('domain_ordinals'))
on conflict (project_id, environment) do update set ordinal = excluded.ordinal
returning ordinal;

-- name: lists_of_project
select environment from domain_lists where project_id = $1 order by environment;

-- name: delete_all
delete from domains where project_id = $1;

-- name: hosts
-- Of a redirect to a name that the project does not hold any more, the environment itself is served.
select d.name, coalesce(t.name, '') as redirect_to, d.redirect_status
from domains d
left join domains t
    on t.project_id = d.project_id and t.name = d.redirect_to and t.state in ('verified', 'failing')
where d.project_id = $1 and d.environment = $2 and d.state in ('verified', 'failing')
order by d.name;

-- name: lists
select l.project_id, l.environment, l.ordinal,
    coalesce(
        jsonb_agg(
            jsonb_build_object('name', d.name, 'redirect_to', coalesce(t.name, ''), 'redirect_status', d.redirect_status)
            order by d.name
        ) filter (where d.name is not null), '[]'
    ) as hosts
from (
    select * from domain_lists where (project_id, environment) > ($1, $2) order by project_id, environment limit $3
) l
left join domains d
    on d.project_id = l.project_id and d.environment = l.environment and d.state in ('verified', 'failing')
left join domains t
    on t.project_id = d.project_id and t.name = d.redirect_to and t.state in ('verified', 'failing')
group by l.project_id, l.environment, l.ordinal
order by l.project_id, l.environment;
