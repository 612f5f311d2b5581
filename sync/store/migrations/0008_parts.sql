-- Records of their own that profiles hold in an array among their fields (deals of contacts); nothing while no rule asks for them.
create table parts (
    connection integer not null references connections (id),
    field text not null,                -- the array's name
    id text not null,                   -- the platform's id of the record
    profile text not null,              -- one row for each profile that has it, known here or not
    value text not null,                -- JSON, as the platform has it
    primary key (connection, field, id, profile)
) without rowid;

create index parts_by_profile on parts (connection, profile);
