-- The bytes of each commit, to restore a log entry that was lost. Beside `commits`, so that looking a commit up does
-- not read past its bytes.
create table commit_copies (
    table_name text not null,
    version integer not null,
    body blob not null,
    primary key (table_name, version)
) strict;

-- Who published a release, and the older one it publishes again where it is a rollback.
alter table releases add column account text not null default '';
alter table releases add column republishes text;
