-- How far a canary has got: {"step", "weight", "before": the route's record without it, "order": promote or abort, "report"}
alter table deployments add column canary_state jsonb not null default '{}';
