-- What builds downloaded, kept in the object store at caches/<project>/<key>.tar.zst for builds on other machines.
create table build_caches (
    project_id text not null,
    -- production or preview: what a preview has put into its cache never gets into production's
    scope text not null,
    key text not null,
    -- of the tar; what does not have it is not used
    digest text not null,
    bytes bigint not null,
    created_at timestamptz not null default now(),
    used_at timestamptz not null default now(),
    primary key (project_id, key)
);
create index build_caches_used on build_caches (used_at);

-- The last slug of an environment and what is in it, times left out: the same content is not packed and stored again.
create table built_slugs (
    project_id text not null,
    environment text not null,
    content text not null,
    slug text not null,
    primary key (project_id, environment)
);
