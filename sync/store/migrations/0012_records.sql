-- Types of which a connection told events that are no records. Only of these a record has to be looked for among the events that it
-- may have been before. Of what stands here from before it is not known: all, to be safe.
create table plainly (
    connection integer not null,
    type integer not null,
    primary key (connection, type)
) without rowid;
insert into plainly select c.id, t.id from connections c cross join event_types t;

-- By `same` first: records are written in the order of their ids, which that of most shops' orders follows.
drop index records_by_fact;
create index records_by_fact on records (same, contact, type);
