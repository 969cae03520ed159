-- name: usable
-- Newest first; by the database's clock, which all auth processes share.
select id, private_sealed, public_jwk, signs_at <= now() as signs from signing_keys
where ends_at > now() order by signs_at desc, id desc;

-- name: lock
select pg_advisory_xact_lock($1);

-- name: is_due
-- Whether a new key is needed: there is none, or the newest has signed for its time.
select not exists (select from signing_keys where signs_at > now() - make_interval(secs => $1) and ends_at > now());

-- name: none_signs
select not exists (select from signing_keys where signs_at <= now() and ends_at > now());

-- name: add
insert into signing_keys (id, private_sealed, public_jwk, signs_at, ends_at)
values ($1, $2, $3, now() + make_interval(secs => $4), now() + make_interval(secs => $4 + $5));

-- name: forget
delete from signing_keys where ends_at < now() - interval '30 days';
