drop table request_blocks;
