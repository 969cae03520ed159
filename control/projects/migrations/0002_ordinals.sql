-- The order in which deployments were accepted; consumers need not believe a clock.
create sequence deployment_ordinals;
