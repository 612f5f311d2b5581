-- A record that a complete look at all of its kind no longer shows is no more, whatever became of it.
alter table parts add column swept integer not null default 0;      -- number of the newest sweep that saw it
