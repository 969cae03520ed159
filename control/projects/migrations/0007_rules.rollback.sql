alter table projects drop column rules;
