-- What may arrive before the events that it belongs to.
CREATE TABLE feedback (
    feedback_key TEXT PRIMARY KEY,
    rating REAL,
    better_response TEXT,
    received_at INTEGER NOT NULL
);

CREATE TABLE chains (
    id TEXT PRIMARY KEY,
    result TEXT NOT NULL, -- JSON
    received_at INTEGER NOT NULL
);
