alter table domains drop column owed_at;
alter table domains drop column owed;
