create table accounts (
    id text primary key,
    email text not null,
    name text not null,
    is_owner boolean not null default false,
    created_at timestamptz not null default now()
);
create unique index accounts_email on accounts (lower(email));
-- The platform has one owner; a second insert fails whatever the code does.
create unique index accounts_one_owner on accounts (is_owner) where is_owner;

create table api_tokens (
    id text primary key,
    account_id text not null references accounts (id) on delete cascade,
    name text not null,
    -- sha256 of the whole secret. The secret has 256 random bits, so a slow hash would protect nothing more.
    secret_hash bytea not null unique,
    -- The first characters of the secret, for lists.
    prefix text not null,
    created_at timestamptz not null default now()
);
create index api_tokens_account on api_tokens (account_id);
