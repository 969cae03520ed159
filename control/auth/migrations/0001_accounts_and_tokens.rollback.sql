drop table api_tokens;
drop table accounts;
