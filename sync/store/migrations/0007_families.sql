-- The values of a family that have a segment: from the evaluation at which enough contacts told of one until nobody is left in it.
create table family_values (
    family text not null,
    value text not null,
    primary key (family, value)
) without rowid;
