-- A longer history reads events anew from further back. What was read before is still all there: rules that look no further need not wait.
alter table streams add column reached integer;     -- since when all is in, meanwhile; null: as far back as was asked, once it was pulled
