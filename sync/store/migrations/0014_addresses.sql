-- A letter goes to the address that its profile has when it is sent.
alter table outbox drop column email;
