-- Fields whose past values are kept because a rule asks for them; without such rules there is none, and nothing is kept.
create table kept_fields (
    id integer primary key,
    path text not null unique,          -- as rules write it
    sources text not null,              -- where it is looked for: connection, path, neutral; JSON
    since integer not null,             -- when it was first looked at
    reach integer                       -- how far back rules look; null: for ever
);

-- What a field held from that moment on, up to the contact's next row. Who has no row held nothing since they, or it, was first seen.
create table pasts (
    field integer not null references kept_fields (id),
    contact integer not null,
    at integer not null,
    value text,                         -- JSON; null: nothing
    changed integer not null,           -- 0: a first sight, no change
    primary key (field, contact, at)
) without rowid;
