alter table releases drop column rules;
