-- What was changed and by whom (docs/audit.md). No foreign keys: a record outlives what it tells of.
create table audit_events (
    -- aud_ and the rest of the id of the event that brought it: grows with time, and the same event is the same row.
    id text collate "C" primary key,
    at timestamptz not null,
    -- By this database's clock, which is what the trigger below goes by: `at` is the word of another machine.
    recorded_at timestamptz not null default now(),
    team_id text not null,
    project_id text not null,
    action text not null,
    target text not null,
    actor_kind text not null,
    actor_id text not null,
    actor_name text not null,
    credential_id text not null,
    address text not null,
    request_id text not null,
    before jsonb not null,
    after jsonb not null
);
create index audit_events_team on audit_events (team_id, id);
create index audit_events_recorded on audit_events (recorded_at);

-- Rows are added; none is changed by anybody, and none goes before it is 90 days old. The service deletes later than that
-- (its setting audit_days), but it can't delete what is younger, whatever it is made to do.
create function audit_events_stay() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.recorded_at < now() - interval '90 days' then
            return old;
        end if;
    end if;
    raise exception 'audit_events is append-only: % refused', tg_op using errcode = 'restrict_violation';
end $$;
create trigger audit_events_stay before update or delete on audit_events
    for each row execute function audit_events_stay();
create trigger audit_events_stay_whole before truncate on audit_events
    for each statement execute function audit_events_stay();
