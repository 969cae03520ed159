-- name: get
-- A link as it is shown, with whether its installation is suspended.
select l.*, p.production_branch, p.root_dir, coalesce(i.suspended, false) as suspended
from repository_links l
join projects p on p.id = l.project_id
left join installations i on i.id = l.installation_id
where l.project_id = $1;

-- name: get_to_change
select l.*, p.production_branch, p.root_dir
from repository_links l
join projects p on p.id = l.project_id
where l.project_id = $1
for no key update of l, p;

-- name: put
-- Replaces the link of a project; its secrets are the new one's.
insert into repository_links (id, project_id, provider, clone_url, full_name, repository_id, watch_paths, previews,
                              fork_previews, installation_id, sealed_secret, sealed_token)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (project_id) do update
set id = excluded.id, provider = excluded.provider, clone_url = excluded.clone_url, full_name = excluded.full_name,
    repository_id = excluded.repository_id, watch_paths = excluded.watch_paths, previews = excluded.previews,
    fork_previews = excluded.fork_previews, installation_id = excluded.installation_id,
    sealed_secret = excluded.sealed_secret, sealed_token = excluded.sealed_token, detached = '',
    created_at = now(), updated_at = now();

-- name: update
update repository_links
set watch_paths = $2, previews = $3, fork_previews = $4, sealed_token = $5, updated_at = now()
where project_id = $1;

-- name: settle
-- What belongs to the project itself.
update projects set production_branch = $2, root_dir = $3 where id = $1;

-- name: delete
delete from repository_links where project_id = $1 returning id;

-- name: by_id
select * from repository_links where id = $1;

-- name: by_id_for_event
select l.*, p.production_branch, p.root_dir, false as suspended
from repository_links l
join projects p on p.id = l.project_id
where l.id = $1;

-- name: of_repository
-- GitHub's links that an installation's delivery speaks to: the installation is still that of the project's team.
select l.*, p.production_branch, p.root_dir, i.suspended
from repository_links l
join projects p on p.id = l.project_id
join installations i on i.id = l.installation_id and i.team_id = p.team_id
where l.provider = 'github' and l.installation_id = $1 and l.repository_id = $2
order by l.project_id;

-- name: learn
update repository_links
set repository_id = $2, full_name = $3, updated_at = now()
where id = $1 and (repository_id, full_name) is distinct from ($2, $3);

-- name: rename
update repository_links
set full_name = $3, clone_url = coalesce(nullif($4, ''), clone_url), updated_at = now()
where provider = 'github' and installation_id = $1 and repository_id = $2;

-- name: detach
update repository_links
set detached = $3, updated_at = now()
where provider = 'github' and installation_id = $1 and ($2::text[] is null or repository_id = any($2));

-- name: attach
update repository_links
set detached = '', updated_at = now()
where provider = 'github' and installation_id = $1 and repository_id = any($2) and detached <> '';

-- name: attach_claimed
-- Links that lost their installation have it again when the same team claims it anew.
update repository_links l
set detached = '', updated_at = now()
from projects p
where p.id = l.project_id and p.team_id = $2 and l.installation_id = $1 and l.detached <> '';

-- name: claim
insert into installations (id, team_id, login, account_type, suspended, claimed_by)
values ($1, $2, $3, $4, $5, $6)
on conflict (id) do update
set login = excluded.login, account_type = excluded.account_type, suspended = excluded.suspended,
    claimed_by = excluded.claimed_by, claimed_at = now()
where installations.team_id = excluded.team_id
returning *;

-- name: installations
select * from installations where team_id = $1 order by login, id;

-- name: installation
select * from installations where id = $1 and team_id = $2;

-- name: suspend
update installations set suspended = $2 where id = $1;

-- name: forget_installation
delete from installations where id = $1;

-- name: source
-- What the build of a deployment fetches: the link of its project, and the installation if it is the team's.
select l.*, p.production_branch, p.root_dir, coalesce(i.suspended, false) as suspended, i.id is not null as claimed
from repository_links l
join projects p on p.id = l.project_id
left join installations i on i.id = l.installation_id and i.team_id = p.team_id
where l.project_id = $1;
