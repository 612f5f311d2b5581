-- Everything the store holds. Instants are milliseconds UTC, booleans 0 or 1, JSON is text.

pragma application_id = 1936158052;     -- "sgmd": this file is a store of segmentd

create table meta (key text primary key, value text not null) without rowid;

-- One named account of the config, and the platform's account it first met.
create table connections (
    id integer primary key,
    name text not null unique,
    kind text not null,
    account text,                       -- the platform's id of the account; null before first contact
    account_name text
);

-- A person. Ids are dense from 0 and never reused: they index arrays. A merged contact points to the one it went into.
create table contacts (
    id integer primary key,
    sample_key text not null,           -- first canonical address, else connection:platform id; kept for ever
    known_since integer not null,
    merged_into integer references contacts (id)
);

-- One platform's record of a person. state: live, archived, gone (erased or merged away at the platform).
create table profiles (
    connection integer not null references connections (id),
    id text not null,
    contact integer not null references contacts (id),
    audience text not null,
    address text,                       -- canonical
    email text,                         -- as the platform spells it
    state text not null,
    mailable integer not null,
    updated integer,
    swept integer not null,             -- number of the last sweep that saw it
    fields text not null,
    primary key (connection, id)
) without rowid;
create index profiles_by_contact on profiles (contact);

-- Whose address: role primary (some profile has it) beats alias (an additional one), which beats former.
create table addresses (
    address text primary key,
    contact integer not null references contacts (id),
    role text not null
) without rowid;
create index addresses_by_contact on addresses (contact);

create table consents (
    connection integer not null,
    profile text not null,
    channel text not null,
    scope text not null,                -- '' or a subscription type's id
    state text not null,
    suppressed integer not null,
    at integer,
    primary key (connection, profile, channel, scope)
) without rowid;

create table event_types (id integer primary key, name text not null unique);

-- Dated facts. The key dedupes and is the index for every scan; hash is that of the source id. Properties that conditions ask
-- for again and again stand in columns, as JSON, null where there is none; the rest in one JSON text.
create table events (
    type integer not null,
    at integer not null,
    hash integer not null,
    contact integer not null,
    properties text not null,
    value text,
    currency text,
    quantity text,
    category text,
    product text,
    campaign text,
    machine text,
    primary key (type, at, hash)
) without rowid;

-- Facts that can change at the source, or that several connections report: all their records; `events` holds the winner.
create table records (
    connection integer not null,
    source text not null,
    type integer not null,
    at integer not null,
    contact integer not null,
    same text not null,                 -- equal for the records of one fact
    properties text not null,
    primary key (connection, source)
) without rowid;
create index records_by_fact on records (type, contact, same);

-- Facts about somebody we do not know yet: they join when the profile or address appears.
create table strays (
    connection integer not null,
    source text not null,
    profile text,
    address text,
    event text not null,                -- the event as read, JSON
    primary key (connection, source)
) without rowid;
create index strays_by_profile on strays (connection, profile) where profile is not null;
create index strays_by_address on strays (address) where address is not null;

-- Contacts that the pull of a connection found to be one person; applied when it ends, unless there are too many.
create table merges (
    id integer primary key,
    connection integer not null,
    survivor integer not null,
    absorbed integer not null,
    reason text not null,
    address text not null,              -- the one they share; '' where the platform merged them
    found integer not null,
    held integer not null default 0,
    unique (survivor, absorbed, address)
);

create table streams (
    connection integer not null,
    stream text not null,
    cursor text,
    watermark integer,                  -- changes before it are in
    started integer,                    -- when the pull under way, or the last one, began
    first integer,                      -- when a pull first reached its end
    finished integer,                   -- when one last did
    sweep integer not null default 0,   -- number of the sweep under way, or the last one
    swept integer not null default 0,   -- profiles seen in it so far
    rows integer not null default 0,    -- rows of the pull under way, or the last one
    error text,                         -- why the last pull did not reach its end; null when it did
    primary key (connection, stream)
) without rowid;

-- Who is in a segment, by the last evaluation that worked. members: zlib of int32 ids, ascending; digest is its sha256.
create table segments (
    name text primary key,
    rule text not null,                 -- digest of the rule and what it refers to
    evaluated integer not null,
    members blob not null,
    digest text not null,
    failure text                        -- why the last evaluation did not work; members then stand from before
) without rowid;

create table targets (
    id integer primary key,
    key text not null unique,           -- segment/connection[/audience]/kind
    connection integer not null,
    audience text not null,             -- the platform's id, or ''
    kind text not null,
    name text not null,
    called text not null default '',    -- audience and name in the words of the config that it was last looked for under
    remote text,                        -- the platform's id of the tag or list; null: not there yet
    first_met integer,                  -- when its members were first read
    found integer not null default 0,   -- members found then
    existing text,                      -- what was decided about them: keep, adopt; null: nothing yet
    applied integer,                    -- when it was first applied
    rule text,                          -- digest of the rule that was applied last
    viewed integer,                     -- when the view was last read completely
    complete integer not null default 0,
    gone integer not null default 0     -- the platform no longer has it: frozen
);

-- The view: members as last read, carried forward by our confirmed writes.
create table members (
    target integer not null references targets (id),
    profile text not null,
    primary key (target, profile)
) without rowid;

-- Ours: read absent, then our add was accepted.
create table owned (
    target integer not null references targets (id),
    profile text not null,
    since integer not null,
    primary key (target, profile)
) without rowid;

-- What we did lately and the platform confirmed: outranks a listing read within the platform's lag.
create table confirmed (
    target integer not null references targets (id),
    profile text not null,
    op text not null,
    at integer not null,
    primary key (target, profile)
) without rowid;

create table plans (
    id text primary key,
    made integer not null,
    handed_over text not null,          -- keys of the targets applied from it so far, JSON
    command text not null,
    body blob not null                  -- zlib of JSON
) without rowid;

-- Changes approved and not yet confirmed. state: waiting, sending (a call may have left), dead.
create table outbox (
    id integer primary key,
    target integer not null references targets (id),
    op text not null,
    profile text not null,
    contact integer not null,
    email text,
    state text not null,
    attempts integer not null default 0,
    maybe integer not null default 0,   -- an earlier call may have taken effect
    sent text,                          -- when calls were made that may have taken effect, and the last one, JSON
    due integer not null,
    piece integer not null default 0,   -- > 0: send in batches of at most this many (the platform refused a larger one)
    reason text,
    made integer not null,
    unique (target, profile)
);
create index outbox_by_state on outbox (state, target, due);

-- Calls whose answer never came and that nobody wants any more: the next complete listing settles whose the membership is.
create table doubts (
    target integer not null references targets (id),
    profile text not null,
    op text not null,
    sent text not null,                 -- as in outbox
    primary key (target, profile)
) without rowid;

create table runs (
    id integer primary key,
    command text not null,
    started integer not null,
    ended integer,
    exit integer,
    summary text
);
