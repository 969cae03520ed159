drop table host_lists;
drop table hosts;
