-- A family keeps its values that ended, or that only a rule named: what the store holds of their segments goes by the family's name, too.
alter table family_values add column ended integer not null default 0;

-- A row of `moves` is held to a digest before it counts, as a whole is (`sync.store.entries`).
alter table moves add column digest integer not null default 0;
update moves set digest =
    ((number * 433494437 + contact * 911382323 + at % 2147483647 * 972663749 + flags * 1000000007) % 2147483647 + 2147483647) % 2147483647;
