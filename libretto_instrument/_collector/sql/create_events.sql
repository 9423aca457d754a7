-- Narrow rows for scans and listings, wide ones apart.
CREATE TABLE prompts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE revisions (
    id INTEGER PRIMARY KEY,
    prompt_id INTEGER NOT NULL,
    hash TEXT NOT NULL,
    template TEXT NOT NULL, -- JSON
    UNIQUE (prompt_id, hash)
);

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
    rating REAL, -- a copy of the feedback's, to filter and sum by
    size INTEGER NOT NULL -- of the body, in characters
);

CREATE TABLE bodies (
    seq INTEGER PRIMARY KEY,
    ask TEXT NOT NULL,
    answer TEXT NOT NULL,
    text TEXT NOT NULL, -- what is searched
    body TEXT NOT NULL -- JSON, as it came
);

CREATE TABLE context (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, value, seq)
) WITHOUT ROWID;

CREATE INDEX events_of_prompt ON events (prompt_id);
CREATE INDEX figures_of_prompt ON events (prompt_id, response_time, failed, tokens, rating);
CREATE INDEX events_of_revision ON events (revision_id);
CREATE INDEX events_by_time ON events (received_at);
CREATE INDEX events_by_feedback ON events (feedback_key);
CREATE INDEX events_of_chat ON events (chat_id) WHERE chat_id IS NOT NULL;
CREATE INDEX events_of_chain ON events (chain_id) WHERE chain_id IS NOT NULL;
CREATE INDEX events_failed ON events (seq) WHERE failed;
CREATE INDEX events_rated ON events (seq) WHERE rating IS NOT NULL;
CREATE INDEX context_of_event ON context (seq);
