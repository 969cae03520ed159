-- name: open
insert into sessions (id, account_id, user_agent, address, amr) values ($1, $2, $3, $4, $5)
returning extract(epoch from proven_at)::float8 as proven_s;

-- name: open_granted
-- As old as the proof of the session that granted it, which may have ended since: a page's ends when it has said yes.
insert into sessions (id, account_id, user_agent, address, amr, proven_at)
select $1, $2, $3, $4, $5, proven_at from sessions where id = $6 and account_id = $2
returning extract(epoch from proven_at)::float8 as proven_s;

-- name: is_recent
select proven_at > now() - make_interval(secs => $3) from sessions
where id = $1 and account_id = $2 and revoked_at is null;

-- name: crowd_out
-- An account has so many sessions at most; the longest unused go.
update sessions set revoked_at = now(), revoked_why = 'too many sessions'
where id in (
    select id from sessions where account_id = $1 and revoked_at is null
    order by last_used_at desc, id desc offset $2
);

-- name: add_token
insert into refresh_tokens (hash, session_id, expires_at) values ($1, $2, now() + make_interval(secs => $3));

-- name: find_token
select t.session_id, t.used_at is not null as used, t.successor_sealed,
    t.used_at > now() - make_interval(secs => $2) as just_used,
    s.account_id, s.amr, extract(epoch from s.proven_at)::float8 as proven_s, a.email
from refresh_tokens t join sessions s on s.id = t.session_id join accounts a on a.id = s.account_id
where t.hash = $1 and t.expires_at > now() and s.revoked_at is null
for update of t, s;

-- name: forget_successors
-- What was used before the one that is used now is beyond its grace.
update refresh_tokens set successor_sealed = null where session_id = $1 and successor_sealed is not null;

-- name: use_token
update refresh_tokens set used_at = now(), successor_sealed = $2 where hash = $1;

-- name: touch
update sessions set last_used_at = now(), user_agent = $2, address = $3 where id = $1;

-- name: list
select id, user_agent, address, amr, created_at, last_used_at from sessions
where account_id = $1 and revoked_at is null and last_used_at > now() - make_interval(secs => $2)
order by last_used_at desc, id desc;

-- name: end
update sessions set revoked_at = now(), revoked_why = $3
where id = $1 and account_id = $2 and revoked_at is null returning id;

-- name: end_all
update sessions set revoked_at = now(), revoked_why = $2
where account_id = $1 and id <> $3 and revoked_at is null;

-- name: void_codes
-- What an account's sessions have said yes to and no program has fetched yet (oauth/).
delete from login_codes where account_id = $1;

-- name: void_devices
delete from device_grants where account_id = $1;

-- name: sweep_tokens
delete from refresh_tokens where expires_at < now();

-- name: sweep
-- A revoked one is kept as long as an unused one, for whoever looks what happened.
delete from sessions where coalesce(revoked_at, last_used_at) < now() - make_interval(secs => $1);

-- name: credentials
-- Who may be meant by an address, and whether they have been signed in from where the call comes from.
select a.id, a.email, a.password_hash, a.verified_at is not null as verified,
    exists (
        select from sessions s
        where s.account_id = a.id and s.address = $2 and s.last_used_at > now() - interval '30 days'
    ) as known
from accounts a where lower(a.email) = lower($1);

-- name: hold
-- The lock makes a session that is being opened wait for a password that is being changed, and the reverse.
select a.password_hash, a.verified_at is not null as verified,
    exists (
        select from two_factor f where f.account_id = a.id and f.confirmed_at is not null
    ) as two_factor
from accounts a where a.id = $1 for share of a;

-- name: rehash
update accounts set password_hash = $3 where id = $1 and password_hash = $2;

-- name: email_of
select email from accounts where id = $1;
