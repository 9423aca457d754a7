-- Calls that replays made, apart from those of programs, and what was counted of both.
ALTER TABLE events ADD COLUMN replay TEXT; -- context.replay
ALTER TABLE events ADD COLUMN tokens_in INTEGER;
ALTER TABLE events ADD COLUMN tokens_out INTEGER;

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
CREATE INDEX production_of_prompt ON events (prompt_id) WHERE replay IS NULL;
DROP INDEX figures_of_prompt;
CREATE INDEX figures_of_prompt ON events (prompt_id, response_time, failed, tokens, rating)
    WHERE replay IS NULL;
