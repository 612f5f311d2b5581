-- A family keeps its values that ended, or that only a rule named: what the store holds of their segments goes by the family's name, too.
alter table family_values add column ended integer not null default 0;
