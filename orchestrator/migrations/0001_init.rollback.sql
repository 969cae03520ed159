drop table route_table;
drop table endpoints;
drop table routes;
drop table instances;
drop table releases;
drop table deployments;
