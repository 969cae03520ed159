-- What routers answered for a project in a calendar month (its first day, UTC): sums that outlive the requests' blocks.
create table traffic (
    project_id text not null,
    month date not null,
    requests bigint not null,
    -- bytes of answers' bodies
    sent bigint not null,
    updated_at timestamptz not null default now(),
    primary key (project_id, month)
);
create index traffic_updated_at on traffic (updated_at);
