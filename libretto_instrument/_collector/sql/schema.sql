-- Narrow rows for scans and listings, wide ones apart. The totals of prompts and hours
-- are kept with each write (see count_event.sql), so that no page has to count events;
-- the calls that replays make do not count.
CREATE TABLE prompts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    calls INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER, -- NULL until an event says how many
    ratings INTEGER NOT NULL DEFAULT 0,
    rating_sum REAL NOT NULL DEFAULT 0,
    last_seq INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE revisions (
    id INTEGER PRIMARY KEY,
    prompt_id INTEGER NOT NULL,
    hash TEXT NOT NULL,
    template TEXT NOT NULL, -- JSON
    UNIQUE (prompt_id, hash)
);

CREATE TABLE hours (
    prompt_id INTEGER NOT NULL,
    hour INTEGER NOT NULL, -- since the epoch
    calls INTEGER NOT NULL,
    PRIMARY KEY (prompt_id, hour)
) WITHOUT ROWID;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again, so that links stay true
    id TEXT NOT NULL UNIQUE, -- promptEventId
    received_at INTEGER NOT NULL, -- unix ms; never less than that of the one before
    prompt_id INTEGER NOT NULL,
    revision_id INTEGER NOT NULL,
    feedback_key TEXT NOT NULL,
    chat_id TEXT,
    chain_id TEXT,
    model TEXT,
    response_time REAL NOT NULL, -- ms
    tokens INTEGER,
    failed INTEGER NOT NULL,
    rating REAL, -- a copy of the feedback's, to filter by
    size INTEGER NOT NULL, -- of the body, in bytes of JSON
    replay TEXT, -- the replay that made the call; NULL for a program's
    tokens_in INTEGER,
    tokens_out INTEGER,
    has_params INTEGER NOT NULL
);
CREATE INDEX events_of_prompt ON events (prompt_id) WHERE replay IS NULL;
CREATE INDEX times_of_prompt ON events (prompt_id, response_time) WHERE replay IS NULL;
CREATE INDEX events_of_revision ON events (revision_id);
CREATE INDEX events_by_time ON events (received_at);
CREATE INDEX events_by_feedback ON events (feedback_key);
CREATE INDEX events_of_chat ON events (chat_id) WHERE chat_id IS NOT NULL;
CREATE INDEX events_of_chain ON events (chain_id) WHERE chain_id IS NOT NULL;
CREATE INDEX events_in_chats ON events (seq) WHERE chat_id IS NOT NULL;
CREATE INDEX events_in_chains ON events (seq) WHERE chain_id IS NOT NULL;
CREATE INDEX events_failed ON events (seq) WHERE failed;
CREATE INDEX events_without_params ON events (seq) WHERE NOT has_params;
CREATE INDEX events_of_replays ON events (prompt_id) WHERE replay IS NOT NULL;
CREATE INDEX events_rated ON events (seq) WHERE rating IS NOT NULL;

CREATE TABLE bodies (
    seq INTEGER PRIMARY KEY,
    ask TEXT NOT NULL,
    answer TEXT NOT NULL,
    body BLOB NOT NULL -- JSON, compressed by zlib
);

CREATE TABLE context (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, value, seq)
) WITHOUT ROWID;

-- Feedback and results may arrive before the events that they belong to.
CREATE TABLE feedback (
    feedback_key TEXT PRIMARY KEY,
    rating REAL,
    better_response TEXT,
    received_at INTEGER NOT NULL
);
CREATE INDEX feedback_by_time ON feedback (received_at);

CREATE TABLE chains (
    id TEXT PRIMARY KEY,
    result TEXT NOT NULL, -- JSON
    received_at INTEGER NOT NULL
);
CREATE INDEX chains_by_time ON chains (received_at);

-- Calls that replays made, by the call that was replayed.
CREATE TABLE replayed (
    replay TEXT NOT NULL,
    case_id TEXT NOT NULL, -- the id of the event that was replayed
    attempt INTEGER NOT NULL, -- of several calls of one case
    seq INTEGER NOT NULL, -- the newest, where a call was made again
    score REAL,
    recorded_score REAL,
    verdict TEXT, -- better, worse, same, unscored, error
    scored_by TEXT,
    PRIMARY KEY (replay, case_id, attempt)
) WITHOUT ROWID;
CREATE INDEX replayed_by_seq ON replayed (seq);

-- Texts that are not in the index yet. SQLite writes a part of it for each transaction,
-- so that many texts are moved there at a time.
CREATE TABLE unindexed (
    seq INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);

-- Which words are in which event, and nothing else of them.
CREATE VIRTUAL TABLE search USING fts5 (
    text, content = '', columnsize = 0, detail = none,
    tokenize = "unicode61 remove_diacritics 2"
);

-- A trigger on inserts would cost a third of the write: SQLite then journals each.
CREATE TRIGGER event_rated AFTER UPDATE OF rating ON events WHEN new.replay IS NULL BEGIN
    UPDATE prompts SET
        ratings = ratings + (new.rating IS NOT NULL) - (old.rating IS NOT NULL),
        rating_sum = rating_sum + coalesce(new.rating, 0) - coalesce(old.rating, 0)
    WHERE id = new.prompt_id;
END;
