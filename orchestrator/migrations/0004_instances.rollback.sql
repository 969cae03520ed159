drop table cron_runs;
drop view crashes_in_a_row;
drop index instances_of_process;
drop index instances_crashed;
drop index instances_ended;
alter table instances drop column last_lines, drop column reason, drop column process;
drop table restarts;
drop table scales;
