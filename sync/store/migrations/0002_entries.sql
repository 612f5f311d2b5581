-- Who entered and who left each segment, and when: an append-only log in packs. A pack is zlib of three columns one after the
-- other, each as differences from the value before: contacts int32, times int64, flags uint8 (1 entered, 2 baseline).
create table entries (
    id integer primary key,
    segment text not null,
    level integer not null,             -- 0 is one evaluation's; a full level is folded into one pack of the next
    rows integer not null,
    newest integer,                     -- time of its newest change that is no baseline; null: there is none
    body blob not null
);
create index entries_by_segment on entries (segment, level);

-- 0: the next evaluation is a baseline (data was not all there, a copy was put back, or it was out of the config).
alter table segments add column settled integer not null default 0;

create index contacts_merged on contacts (id, merged_into) where merged_into is not null;
