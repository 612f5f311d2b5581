-- Since when: a member of a tag or list by the platform where it tells, else when we first saw them there; a state of consent when we
-- first saw it. What stood here before was seen by the time that its target was first met, or its contact first known.
alter table members add column since integer not null default 0;
update members set since = coalesce((select first_met from targets where id = target), 0);

alter table consents add column seen integer not null default 0;
update consents set seen = coalesce((
    select c.known_since from profiles p join contacts c on c.id = p.contact
    where p.connection = consents.connection and p.id = consents.profile
), 0);
