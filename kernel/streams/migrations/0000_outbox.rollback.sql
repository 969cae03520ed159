drop table consumed_events;
drop table outbox;
