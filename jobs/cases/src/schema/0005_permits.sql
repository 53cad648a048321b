-- What the book is at within a transaction; empty between transactions. Guards let pass what belongs to such work. A
-- permit is no secret: what a client does with one of its own is found by `goyong audit verify`.
create table case_permits (
    work text primary key check (work in ('night', 'open', 'find', 'close', 'suppress', 'lift', 'rename', 'forget'))
);

-- Cases whose evidence a night changed, while it is merged.
create table case_touched (
    case_no bigint primary key
);

-- The newest event of a book from before events told digests of rows. The next opening tells them and empties it.
create table case_unsealed (
    event_no bigint primary key
);

insert into case_unsealed (event_no) select event_no from case_events order by event_no desc limit 1;
