drop table builds_begun;
drop table usage_marks;
drop table traffic_usage;
drop table build_usage;
drop table team_plans;
drop table default_plan;
