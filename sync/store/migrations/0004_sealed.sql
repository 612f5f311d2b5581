-- Events that were sealed: one Parquet file per day, then per month, in the folder beside this file. A file never changes; what
-- comes late stays in `events`, what is taken back is noted, and both go into the next file of that time.
create table sealed (
    id integer primary key autoincrement,  -- never used twice: it is in the file's name
    name text not null,
    start integer not null,             -- it holds what happened from here
    until integer not null,             -- until before here
    rows integer not null,
    bytes integer not null,
    digest text not null                -- sha256 of the file
);

-- Where in a file the events of one type stand. A slice that is gone is not read, whatever the file still holds.
create table slices (
    file integer not null references sealed (id),
    type integer not null,
    rows integer not null,
    first integer not null,
    last integer not null,
    from_group integer not null,        -- its row groups, as Parquet numbers them
    to_group integer not null,
    columns text not null,              -- properties that have a column of their own beside those of `events`, JSON
    primary key (type, first, file)
) without rowid;
create index slices_by_file on slices (file);

-- Sealed events that are no more: the source took them back, or they stand in `events` again, changed.
create table taken_back (
    type integer not null,
    at integer not null,
    hash integer not null,
    primary key (type, at, hash)
) without rowid;

-- Files that the catalogue no longer names. They are deleted when no reader can still be at them.
create table outworn (name text primary key, since integer) without rowid;

-- Events of this type from before are not kept; null: all are.
alter table event_types add column floor integer;
