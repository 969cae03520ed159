-- name: issue
insert into one_time_tokens (hash, purpose, account_id, payload, expires_at)
values ($1, $2, $3, $4, now() + make_interval(secs => $5));

-- name: take
-- Of two at once, one waits for the other's row lock and then finds nothing.
delete from one_time_tokens where hash = $1 and purpose = any($2::text[]) and expires_at > now()
returning account_id, purpose, payload;

-- name: peek
select account_id, purpose, payload from one_time_tokens where hash = $1 and purpose = $2 and expires_at > now();

-- name: attempt
update one_time_tokens set attempts = attempts + 1
where hash = $1 and purpose = $2 and expires_at > now() and attempts < $3
returning account_id, purpose, payload;

-- name: void
delete from one_time_tokens where account_id = $1 and purpose = any($2::text[]);

-- name: sweep
delete from one_time_tokens where expires_at < now();
