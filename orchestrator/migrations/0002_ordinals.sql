alter table deployments
    -- the order in which the control plane accepted a project's deployments; 0 when it did not say
    add column ordinal bigint not null default 0;
