drop table recovery_codes;
drop table two_factor;
drop table refresh_tokens;
drop table sessions;
drop table mails;
drop table one_time_tokens;
alter table accounts drop column verified_at, drop column password_hash;
