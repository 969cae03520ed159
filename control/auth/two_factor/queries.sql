-- name: status
select confirmed_at, (select count(*) from recovery_codes c where c.account_id = f.account_id and used_at is null) as left
from two_factor f where account_id = $1 and confirmed_at is not null;

-- name: begin
-- An enrolment that was begun and not confirmed is begun anew; one that was confirmed stays as it is.
insert into two_factor (account_id, secret_sealed) values ($1, $2)
on conflict (account_id) do update set secret_sealed = excluded.secret_sealed, created_at = now()
    where two_factor.confirmed_at is null
returning account_id;

-- name: pending
select secret_sealed, last_step from two_factor where account_id = $1 and confirmed_at is null for update;

-- name: confirmed
select secret_sealed, last_step from two_factor where account_id = $1 and confirmed_at is not null for update;

-- name: confirm
update two_factor set confirmed_at = now(), last_step = $2 where account_id = $1;

-- name: use_step
update two_factor set last_step = $2 where account_id = $1;

-- name: use_recovery
update recovery_codes set used_at = now() where account_id = $1 and hash = $2 and used_at is null returning account_id;

-- name: left
select count(*) from recovery_codes where account_id = $1 and used_at is null;

-- name: drop_recovery
delete from recovery_codes where account_id = $1;

-- name: add_recovery
insert into recovery_codes (account_id, hash) values ($1, $2);

-- name: off
delete from two_factor where account_id = $1;

-- name: email_of
select email from accounts where id = $1;
