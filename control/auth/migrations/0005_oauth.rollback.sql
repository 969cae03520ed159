drop table device_grants;
drop table login_codes;
drop table oauth_flows;
drop table identities;
