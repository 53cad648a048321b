-- The independent record of what was committed. Facts only, never updated except to say when something ended.

-- One row per Delta commit. `recorded_at` is the only wall clock, for people.
create table commits (
    table_name text not null,
    version integer not null,
    sha256 text not null,
    bytes integer not null,
    operation text not null,
    rows integer not null,
    recorded_at text not null,
    primary key (table_name, version)
) strict;

-- Application transactions of commits: (job, date, step) looked up before a step is run again.
create table applications (
    table_name text not null,
    application_id text not null,
    application_version integer not null,
    version integer not null,
    primary key (table_name, application_id, version)
) strict;

-- Columns and descriptions, from the commit that last changed them.
create table table_metadata (
    table_name text not null,
    from_version integer not null,
    metadata text not null,
    primary key (table_name, from_version)
) strict;

-- A file is part of the versions added_version <= v < removed_version. Partition '' is none.
create table files (
    table_name text not null,
    path text not null,
    partition text not null,
    sha256 text not null,
    bytes integer not null,
    rows integer not null,
    added_version integer not null,
    removed_version integer,
    primary key (table_name, path)
) strict;

create index files_by_version on files (table_name, added_version, removed_version);

-- A state holds for the versions from_version <= v < until_version.
create table partitions (
    table_name text not null,
    partition text not null,
    from_version integer not null,
    until_version integer,
    content_hash text not null,
    fingerprint text,
    primary key (table_name, partition, from_version)
) strict;

create index partitions_current on partitions (table_name, until_version);

create table releases (
    sequence integer primary key autoincrement,
    release_id text not null unique,
    business_date text not null,
    content_hash text not null,
    note text not null,
    created_at text not null
) strict;

create table release_tables (
    release_id text not null references releases (release_id),
    table_name text not null,
    version integer not null,
    commit_sha256 text not null,
    content_hash text not null,
    rows integer not null,
    primary key (release_id, table_name)
) strict;

create table memo (
    scope text not null,
    key text not null,
    value text not null,
    primary key (scope, key)
) strict;
