-- Who is to be told what, decided in the transaction of the fact it tells: a row per fact and target.

create table scheduler_notices (
    -- fact and target; the same fact is told to a target once
    notice text primary key,
    -- failed, deadline_missed, recovered, over_limit, test
    kind text not null,
    plan text not null,
    scheduled_at_ms bigint not null,
    -- empty where there is none
    run_id text not null,
    target text not null,
    -- JSON: words and figures by name
    facts text not null,
    decided_at_ms bigint not null,
    attempts bigint not null,
    -- not to be sent before; a sender puts it off while it sends
    not_before_ms bigint not null,
    delivered_at_ms bigint,
    given_up_at_ms bigint,
    last_error text not null
);

create index scheduler_notices_by_delivery on scheduler_notices (delivered_at_ms, not_before_ms);

-- Processes that schedule, and when each was last seen to turn.
create table scheduler_processes (
    holder text primary key,
    started_at_ms bigint not null,
    seen_at_ms bigint not null,
    ended_at_ms bigint
);
