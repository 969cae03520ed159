-- name: by_id
select id, email, name, password_hash from accounts where id = $1;

-- name: by_email
select id, email, name, password_hash from accounts where lower(email) = lower($1);

-- name: set
update accounts set password_hash = $2 where id = $1;

-- name: set_and_verify
-- Who could open the link has the address.
update accounts set password_hash = $2, verified_at = coalesce(verified_at, now()) where id = $1 returning email;
