drop table github_reports;
drop table webhook_deliveries;
drop table repository_links;
drop table installations;
