-- name: forget_expired
delete from invitations where team_id = $1 and accepted_at is null and expires_at <= now();

-- name: count_open
select count(*) from invitations where team_id = $1 and accepted_at is null;

-- name: insert
insert into invitations (id, team_id, email, role, project_id, project_role, token_hash, invited_by, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(days => $9))
on conflict do nothing
returning *;

-- name: is_member
select exists (
    select 1 from team_members m join accounts a on a.id = m.account_id where m.team_id = $1 and lower(a.email) = $2
);

-- name: list
select * from invitations
where team_id = $1 and ($2 = '' or project_id = $2) and accepted_at is null and expires_at > now()
order by id desc;

-- name: get
select *, sent_at > now() - make_interval(secs => $3) as sent_just_now
from invitations where id = $1 and team_id = $2 and accepted_at is null and ($4 = '' or project_id = $4);

-- name: renew
update invitations set token_hash = $2, sent_at = now(), expires_at = now() + make_interval(days => $3)
where id = $1 returning *;

-- name: delete
delete from invitations where id = $1;

-- name: by_token
select team_id, project_id from invitations where token_hash = $1;

-- name: accept
update invitations set accepted_at = now(), accepted_by = $2
where token_hash = $1 and accepted_at is null and expires_at > now()
returning *;

-- name: address
select lower(email) from accounts where id = $1 and verified_at is not null;
