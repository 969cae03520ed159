alter table device_grants drop column granted_by;
alter table login_codes drop column granted_by;
alter table sessions drop column proven_at;
