drop table traffic;
