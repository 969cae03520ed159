-- name: insert
insert into api_tokens (id, account_id, name, secret_hash, prefix) values ($1, $2, $3, $4, $5);

-- name: find
select t.id as token_id, t.secret_hash, a.id, a.email, a.name
from api_tokens t join accounts a on a.id = t.account_id
where t.secret_hash = $1;
