-- name: insert
insert into api_tokens (id, account_id, name, secret_hash, prefix) values ($1, $2, $3, $4, $5);
