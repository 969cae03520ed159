drop table blocks;
drop table appends;
drop table projects;
