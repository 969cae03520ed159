-- Whoever has an account by now came by the platform's first start, as its owner.
alter table accounts
    -- argon2id in PHC form; null for those who never set a password.
    add column password_hash text,
    -- When the address was proven to be theirs; null is not yet, and then they can't sign in.
    add column verified_at timestamptz;
update accounts set verified_at = created_at;

-- What a link in a mail, or the second step of signing in, is good for: once, and for a while.
create table one_time_tokens (
    -- sha256 of 256 random bits.
    hash bytea primary key,
    purpose text not null check (purpose in ('verify', 'email', 'reset', 'login')),
    account_id text not null references accounts (id) on delete cascade,
    payload jsonb not null default '{}',
    attempts integer not null default 0,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index one_time_tokens_account on one_time_tokens (account_id, purpose);
create index one_time_tokens_expires on one_time_tokens (expires_at);

-- Mails on their way out. A row goes when its mail went; one that could not be sent stays a week, without its content.
create table mails (
    id text primary key,
    recipient text not null,
    template text not null,
    -- What the template is filled with: links that open accounts, so it is sealed, bound to the id.
    sealed bytea,
    created_at timestamptz not null default now(),
    attempts integer not null default 0,
    -- When it is tried next; who takes it moves this on, so no other takes it meanwhile. Null: given up.
    next_at timestamptz default now(),
    error text not null default ''
);
create index mails_next on mails (next_at) where next_at is not null;

create table sessions (
    id text primary key,
    account_id text not null references accounts (id) on delete cascade,
    created_at timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    user_agent text not null,
    address text not null,
    -- How its holder proved who they are (RFC 8176): pwd, otp, …
    amr text[] not null,
    revoked_at timestamptz,
    revoked_why text not null default ''
);
create index sessions_account on sessions (account_id, created_at);

-- A session's refresh tokens, of which the newest is good. The used ones are kept until they would have expired: one
-- that is shown again was copied.
create table refresh_tokens (
    hash bytea primary key,
    session_id text not null references sessions (id) on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    -- The token that took its place, sealed, for the holder whose answer was lost; gone when that one is used.
    successor_sealed bytea
);
create index refresh_tokens_session on refresh_tokens (session_id);
create index refresh_tokens_expires on refresh_tokens (expires_at);

create table two_factor (
    account_id text primary key references accounts (id) on delete cascade,
    -- The secret of RFC 6238, sealed, bound to the account.
    secret_sealed bytea not null,
    -- Null while its holder has not shown that they can make codes with it.
    confirmed_at timestamptz,
    -- The last time step whose code was taken; neither it nor an earlier one is taken again.
    last_step bigint not null default 0,
    created_at timestamptz not null default now()
);

create table recovery_codes (
    account_id text not null references two_factor (account_id) on delete cascade,
    -- sha256 over account and code; a code has 80 random bits.
    hash bytea not null,
    used_at timestamptz,
    primary key (account_id, hash)
);
