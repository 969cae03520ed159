-- name: insert
insert into projects (id, name, team_id, framework, root_dir, install_command, build_command, run_command, output_dir,
                      health_path, production_branch)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (name) do nothing
returning *;

-- name: get
select * from projects where (id = $1 or name = $1) and ($2 = '' or team_id = $2);

-- name: lock
-- Excludes other writers of this project, and leaves alone those who merely refer to it.
select team_id from projects where id = $1 for no key update;

-- name: list
-- All, or those of these teams and these that are named, cut down to one team and to one project unless those are '',
-- behind a name, and at most so many unless that is 0.
select * from projects
where ($1 or team_id = any($2::text[]) or id = any($3::text[]))
  and ($4 = '' or team_id = $4) and ($5 = '' or id = $5) and name > $6
order by name limit nullif($7::int, 0);

-- name: set_live
update projects set live_deployment_id = $2 where id = $1;

-- name: clear_live
update projects set live_deployment_id = null where id = $1 and live_deployment_id = $2;

-- name: delete
delete from projects where id = $1 returning team_id, name;

-- name: bump
update projects set version = version + 1 where id = $1 and ($2::bigint = 0 or version = $2) returning version;

-- name: version
select version from projects where id = $1;

-- name: change
update projects set name = $2, framework = $3, root_dir = $4, install_command = $5, build_command = $6, run_command = $7,
    output_dir = $8, health_path = $9, production_branch = $10
where id = $1
returning *;

-- name: has_hosts
select exists (select from deployments where project_id = $1 and state = any($2::text[]));

-- name: transfer
update projects set team_id = $2 where id = $1 returning *;
