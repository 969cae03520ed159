-- name: live_release
select r.* from releases r join deployments d on d.release_id = r.id
where d.project_id = $1 and d.environment = $2 and (d.state = 'LIVE' or (d.state = 'PROVISIONING' and d.flipped))
order by d.flipped and d.state = 'PROVISIONING' desc limit 1

-- name: shown_instances
select i.* from instances i join releases r on r.id = i.release_id
where r.project_id = $1 and r.environment = $2
  and (i.state in ('starting', 'ready', 'draining') or (i.state = 'crashed' and i.ended_at > now() - interval '1 hour'))
order by i.state = 'crashed', i.started_at desc limit 200

-- name: ready_to_run_in
select i.id from instances i join releases r on r.id = i.release_id
where r.project_id = $1 and r.environment = $2 and i.state = 'ready' and i.id like '%' || $3
  and ($3 <> '' or i.process = $4)
order by i.started_at desc limit 2

-- name: crashes_of
select process, crashes from crashes_in_a_row where release_id = $1
