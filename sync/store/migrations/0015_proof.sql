-- One of a target's first fill: judged as that fill was, as long as it is on its way.
alter table outbox add column first integer not null default 0;

-- When our add was sent, as long as nothing tells whether it changed anything; NULL: the platform said so, or a listing since, or it was adopted.
alter table owned add column sent integer;

-- A merge's number is never another's: people name it to let merges go.
create table numbered (
    id integer primary key autoincrement,
    connection integer not null,
    survivor integer not null,
    absorbed integer not null,
    reason text not null,
    address text not null,              -- the one they share; '' where the platform merged them
    found integer not null,
    held integer not null default 0,
    unique (survivor, absorbed, address)
);
insert into numbered select id, connection, survivor, absorbed, reason, address, found, held from merges;
drop table merges;
alter table numbered rename to merges;
