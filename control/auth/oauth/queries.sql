-- name: start_flow
insert into oauth_flows (state_hash, browser_hash, provider, purpose, redirect, challenge, expires_at)
values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7));

-- name: take_flow
-- Once: of two at once, one waits for the other's row lock and then finds nothing.
delete from oauth_flows where state_hash = $1 and expires_at > now()
returning browser_hash, provider, purpose, redirect, challenge;

-- name: add_code
insert into login_codes (code_hash, purpose, challenge, person, account_id, amr, expires_at, granted_by)
values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7), nullif($8, ''));

-- name: take_code
delete from login_codes where code_hash = $1 and expires_at > now()
returning purpose, challenge, person, account_id, amr, granted_by;

-- name: sweep_flows
delete from oauth_flows where expires_at < now();

-- name: sweep_codes
delete from login_codes where expires_at < now();

-- name: sweep_devices
delete from device_grants where expires_at < now() - interval '1 hour';

-- name: start_device
insert into device_grants (device_hash, user_code, client, address, interval_s, expires_at)
values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
on conflict do nothing returning true;

-- name: hold_device
-- Of two at once, one waits: a grant is exchanged once.
select account_id, amr, granted_by, refused, expires_at <= now() as expired, interval_s,
    coalesce(asked_at > now() - make_interval(secs => interval_s), false) as too_soon
from device_grants where device_hash = $1 for update;

-- name: asked_device
update device_grants set asked_at = now(), interval_s = interval_s + $2 where device_hash = $1;

-- name: end_device
delete from device_grants where device_hash = $1;

-- name: find_device
select client, address, created_at from device_grants
where user_code = $1 and account_id is null and not refused and expires_at > now();

-- name: answer_device
-- A yes is to be fetched within a minute: it outlives the session that said it.
update device_grants set account_id = case when $3 then null else $2 end, refused = $3, amr = $4, granted_by = $5,
    expires_at = least(expires_at, now() + interval '60 seconds')
where user_code = $1 and account_id is null and not refused and expires_at > now()
returning client;

-- name: amr_of
-- How a session that is still open was proven.
select amr from sessions where id = $1 and account_id = $2 and revoked_at is null;

-- name: find_identity
select id, account_id from identities where issuer = $1 and subject = $2;

-- name: add_identity
insert into identities (id, account_id, issuer, subject, provider, email) values ($1, $2, $3, $4, $5, $6)
on conflict (issuer, subject) do nothing returning true;

-- name: used_identity
update identities set last_used_at = now(), email = $2, provider = $3 where id = $1;

-- name: list_identities
select id, provider, email, created_at, last_used_at from identities where account_id = $1 order by created_at, id;

-- name: count_identities
select count(*) from identities where account_id = $1;

-- name: hold_account
-- The ways in of an account are counted and taken away one at a time.
select email, password_hash is not null as has_password from accounts where id = $1 for update;

-- name: remove_identity
delete from identities where id = $1 and account_id = $2 returning provider;

-- name: by_email
select id, email, verified_at is not null as verified from accounts where lower(email) = lower($1) for update;

-- name: drop_unverified
delete from accounts where id = $1 and verified_at is null and not is_owner;
