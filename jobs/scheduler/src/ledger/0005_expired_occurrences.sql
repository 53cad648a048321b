-- How many occurrences were forgotten, so that counts over all time do not shrink.
create table scheduler_expired_occurrences (
    plan text not null,
    -- empty for those that were run
    reason text not null,
    occurrences bigint not null,
    deadlines_missed bigint not null,
    primary key (plan, reason)
);
