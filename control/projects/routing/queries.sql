-- name: get
select rules from projects where id = $1;

-- name: set
update projects set rules = $2 where id = $1;
