-- When the holder of a session last proved who they are: a session that another one granted is as old as that one's
-- proof, so that a copied session cannot make itself a fresh one.
alter table sessions add column proven_at timestamptz not null default now();
update sessions set proven_at = created_at;
alter table login_codes add column granted_by text references sessions (id) on delete cascade;
alter table device_grants add column granted_by text references sessions (id) on delete cascade;
