-- name: post
insert into mails (id, recipient, template, sealed) values ($1, $2, $3, $4);

-- name: claim
-- Who claims a mail has it for the lease; when that ends and the row is still there, its process has died.
update mails set attempts = attempts + 1, next_at = now() + make_interval(secs => $2)
where id in (
    select id from mails where next_at <= now() order by next_at limit $1 for update skip locked
)
returning id, recipient, template, sealed, attempts;

-- name: sent
delete from mails where id = $1;

-- name: later
update mails set next_at = now() + make_interval(secs => $2), error = $3 where id = $1;

-- name: give_up
update mails set next_at = null, sealed = null, error = $2 where id = $1;

-- name: sweep
delete from mails where created_at < now() - interval '7 days';

-- name: recipients
-- The member of a team with an address, or its owners when none is named.
select a.email from team_members m join accounts a on a.id = m.account_id
where m.team_id = $1 and a.verified_at is not null
  and case when $2 = '' then m.role = 'OWNER' else lower(a.email) = lower($2) end
order by a.id;
