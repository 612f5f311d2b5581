-- A letter goes to the address that its profile has when it is sent.
alter table outbox drop column email;

-- One of a target's first fill: judged as that fill was, as long as it is on its way.
alter table outbox add column first integer not null default 0;

-- When our add was sent, as long as nothing tells whether it changed anything; NULL: the platform said so, or a listing since, or it was adopted.
alter table owned add column sent integer;
