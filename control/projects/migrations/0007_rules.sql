-- What the owner says of the project's routes, in the shape of a route record's rules.
alter table projects add column rules jsonb not null default '{}';
