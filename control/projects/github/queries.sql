-- name: note_deployment
-- The refs are those that a push or a pull request of the linked repository has; others are the gateway's own.
insert into github_reports (id, installation_id, repository_id)
select d.id, l.installation_id, l.repository_id
from deployments d
join repository_links l on l.project_id = d.project_id and l.provider = 'github' and l.detached = ''
where d.id = $1 and (d.ref like 'refs/heads/%' or d.ref like 'refs/pull/%')
on conflict (id) do update
set version = github_reports.version + 1, next_at = now(), attempts = 0, error = '', updated_at = now();

-- name: note_comment_of
-- A deployment of a pull request's environment changes the comment too, and makes it when there is none.
insert into github_reports (id, installation_id, repository_id, number)
select l.repository_id || '#' || substring(d.environment from 12), l.installation_id, l.repository_id,
       substring(d.environment from 12)::integer
from deployments d
join repository_links l on l.project_id = d.project_id and l.provider = 'github' and l.detached = ''
where d.id = $1 and d.environment ~ '^preview/pr-[0-9]{1,9}$' and d.ref like 'refs/pull/%'
on conflict (id) do update
set version = github_reports.version + 1, next_at = now(), attempts = 0, error = '', updated_at = now();

-- name: note_end
update github_reports r
set version = r.version + 1, next_at = now(), attempts = 0, error = '', updated_at = now()
from repository_links l
where l.project_id = $1 and l.provider = 'github' and $2 ~ '^preview/pr-[0-9]{1,9}$'
  and r.id = l.repository_id || '#' || substring($2 from 12);

-- name: claim
update github_reports r
set attempts = r.attempts + 1, leased_until = now() + make_interval(secs => $1)
where r.id = (
    select q.id from github_reports q
    where q.next_at <= now() and (q.leased_until is null or q.leased_until < now())
    order by q.next_at
    limit 1
    for update skip locked
)
returning r.*;

-- name: deployment
-- What is told of a deployment: null when it, its project or its link is gone.
select d.id, d.environment, d.state, d.reason, d.hint, d.url, d.commit_id, d.ref, d.message, d.project_id,
       p.name as project, l.full_name
from deployments d
join projects p on p.id = d.project_id
join repository_links l on l.project_id = d.project_id and l.provider = 'github' and l.repository_id = $2
                           and l.detached = ''
where d.id = $1;

-- name: previews
-- One row for each project of a repository that has, or had, a preview for the pull request: its newest deployment.
select distinct on (p.id) p.name as project, l.full_name, d.state, d.reason, d.url, d.commit_id, d.updated_at,
       v.environment is not null as exists
from repository_links l
join projects p on p.id = l.project_id
join deployments d on d.project_id = p.id and d.environment = $3
left join previews v on v.project_id = p.id and v.environment = $3
where l.provider = 'github' and l.installation_id = $1 and l.repository_id = $2 and l.detached = ''
order by p.id, d.arrival desc;

-- name: remember
-- GitHub's id of what was made, at once: whatever fails afterwards, it is not made twice.
update github_reports set remote_id = $2 where id = $1;

-- name: finish
-- What changed in the meantime stays due.
update github_reports
set told = $3, error = '', attempts = 0, leased_until = null, updated_at = now(),
    next_at = case when version = $2 then null else now() end
where id = $1;

-- name: retry
update github_reports
set next_at = now() + make_interval(secs => $2), error = $3, leased_until = null, updated_at = now(),
    attempts = case when $4 then attempts - 1 else attempts end
where id = $1;

-- name: give_up
update github_reports
set next_at = case when version = $3 then null else now() end, error = $2, attempts = 0, leased_until = null,
    updated_at = now()
where id = $1;

-- name: prune
delete from github_reports where next_at is null and updated_at < now() - make_interval(days => $1);
