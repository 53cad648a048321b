-- Every attempt of a step, for readers. A run that is retried numbers its attempts on.
create table scheduler_step_attempts (
    run_id text not null references scheduler_runs (run_id),
    step text not null,
    number bigint not null,
    state text not null,
    reason text not null,
    detail text not null,
    started_at_ms bigint not null,
    finished_at_ms bigint,
    primary key (run_id, step, number)
);

-- Who asked for an occurrence that no schedule brought.
alter table scheduler_occurrences add column requested_by text not null default '';
