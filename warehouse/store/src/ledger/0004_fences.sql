-- The newest worker of each scheduled run. What an older one commits is refused.
create table fences (
    run text primary key,
    token integer not null
) strict;
