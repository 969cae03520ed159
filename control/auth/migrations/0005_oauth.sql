-- Who somebody is at another provider. The issuer and the subject there stay the same for a person; the provider's id
-- is the operator's word for the issuer, and may come to mean another.
create table identities (
    id text primary key,
    account_id text not null references accounts (id) on delete cascade,
    issuer text not null,
    subject text not null,
    provider text not null,
    -- What the provider last said, for lists; nothing is decided by it later.
    email text not null,
    created_at timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    unique (issuer, subject)
);
create index identities_account on identities (account_id);

-- Sign-ins that a browser was sent to a provider for. Hashes of 256 random bits each.
create table oauth_flows (
    state_hash bytea primary key,
    browser_hash bytea not null,
    provider text not null,
    purpose text not null check (purpose in ('sign_in', 'link')),
    -- Where the browser goes afterwards, from the allow-list.
    redirect text not null,
    -- S256 of what whoever exchanges the code must know.
    challenge text not null,
    expires_at timestamptz not null
);
create index oauth_flows_expires on oauth_flows (expires_at);

-- What a browser brings back to who sent it: good for one exchange within a minute.
create table login_codes (
    code_hash bytea primary key,
    purpose text not null check (purpose in ('sign_in', 'link', 'grant')),
    challenge text not null,
    -- A person as a provider proved them, or an account whose holder said yes.
    person jsonb,
    account_id text references accounts (id) on delete cascade,
    amr text[] not null,
    expires_at timestamptz not null,
    check ((purpose = 'grant') = (account_id is not null)),
    check ((purpose = 'grant') = (person is null))
);
create index login_codes_expires on login_codes (expires_at);

-- Programs without a browser (RFC 8628) that wait for somebody to say yes.
create table device_grants (
    device_hash bytea primary key,
    -- What a person types: 34 bits, so it is of use to signed-in people only, and their tries are counted.
    user_code text not null unique,
    client text not null,
    address text not null,
    -- Seconds between two questions; grows for who asks too often.
    interval_s integer not null,
    asked_at timestamptz,
    account_id text references accounts (id) on delete cascade,
    amr text[] not null default '{}',
    refused boolean not null default false,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index device_grants_expires on device_grants (expires_at);
