-- Who told an event and under which id, as `explain` names it; null in events from before. A fact that several records tell has
-- those of its earliest record.
alter table events add column connection integer;
alter table events add column source text;
