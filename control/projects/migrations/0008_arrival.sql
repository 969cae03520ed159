-- The order in which deployments were accepted. Their ids grow with time only as long as no clock is set back.
alter table deployments add column arrival bigint;
-- Those of before are numbered up to -1, so that the new ones begin at 1.
update deployments d set arrival = -o.place
from (select id, row_number() over (order by id desc) as place from deployments) o
where d.id = o.id;
alter table deployments alter column arrival set not null;
alter table deployments alter column arrival add generated always as identity;
drop index deployments_of_project;
create index deployments_of_project on deployments (project_id, arrival desc);
