-- What was due, what became of it, and who holds it. Times are milliseconds since 1970 in UTC.

create table scheduler_plans (
    plan text primary key,
    -- every occurrence up to here has been decided
    decided_through_ms bigint not null,
    paused_at_ms bigint,
    pause_reason text not null
);

-- One row per time a plan was due: run, or not run with the reason.
create table scheduler_occurrences (
    plan text not null,
    scheduled_at_ms bigint not null,
    -- schedule, catchup, trigger, backfill
    origin text not null,
    -- later than scheduled_at where a calendar moved it
    run_at_ms bigint not null,
    -- run, not_run
    decision text not null,
    reason text not null,
    detail text not null,
    decided_at_ms bigint not null,
    deadline_ms bigint,
    deadline_missed_at_ms bigint,
    primary key (plan, scheduled_at_ms)
);

create index scheduler_occurrences_by_deadline on scheduler_occurrences (deadline_ms);

create table scheduler_runs (
    run_id text primary key,
    plan text not null,
    scheduled_at_ms bigint not null,
    state text not null,
    reason text not null,
    detail text not null,
    -- how often it was taken up, from 1
    attempt bigint not null,
    queued_at_ms bigint not null,
    started_at_ms bigint,
    finished_at_ms bigint,
    cancel_requested_at_ms bigint,
    unique (plan, scheduled_at_ms),
    foreign key (plan, scheduled_at_ms) references scheduler_occurrences (plan, scheduled_at_ms)
);

create index scheduler_runs_by_state on scheduler_runs (state, scheduled_at_ms);

create table scheduler_step_runs (
    run_id text not null references scheduler_runs (run_id),
    step text not null,
    position bigint not null,
    state text not null,
    reason text not null,
    detail text not null,
    attempt bigint not null,
    -- how often a worker was lost while the step ran
    workers_lost bigint not null,
    not_before_ms bigint,
    started_at_ms bigint,
    finished_at_ms bigint,
    primary key (run_id, step)
);

-- Who may commit a run. A row stays when the lease ended, so that its token is never given again.
create table scheduler_leases (
    run_id text primary key references scheduler_runs (run_id),
    token bigint not null unique,
    holder text not null,
    acquired_at_ms bigint not null,
    heartbeat_at_ms bigint not null,
    expires_at_ms bigint not null
);

-- The last token given, over all runs.
create table scheduler_tokens (
    name text primary key,
    last bigint not null
);

insert into scheduler_tokens (name, last) values ('lease', 0);
