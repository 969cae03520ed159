-- Where a variable is given: to builds, to what runs, or to both (all).
alter table env_vars add column scope text not null default 'all' check (scope in ('all', 'build', 'run'));
