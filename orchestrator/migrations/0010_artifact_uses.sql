-- what builds look for in the object store before they have a release that refers to it: a slug's key, or the place of
-- a project's files
create table artifact_uses (
  what text primary key,
  used_at timestamptz not null default now()
);
