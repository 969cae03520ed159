drop table closed_teams;
