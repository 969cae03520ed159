drop table domain_lists;
drop sequence domain_ordinals;
drop table domain_holders;
drop table domains;
