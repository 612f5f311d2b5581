-- A membership is what was last written whole, and the moves since: what a tick writes is as much as moved. Moves wait as rows, in
-- order, until they are many enough for a pack of `entries`.
create table wholes (
    segment text primary key,
    merges integer not null,            -- merges of contacts there were when it was written; -1: not known
    upto integer not null,              -- the last pack of the segment that is in it
    digest text not null,
    members blob not null
);
insert into wholes select name, -1, (select coalesce(max(id), 0) from entries where segment = name), digest, members from segments;
alter table segments drop column members;
alter table segments drop column digest;

create table moves (
    segment text not null,
    number integer not null,
    contact integer not null,
    at integer not null,
    flags integer not null,             -- as in a pack
    primary key (segment, number)
) without rowid;
