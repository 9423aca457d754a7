-- Feedback and results whose events never came, or have gone; the oldest first.
DELETE FROM feedback WHERE rowid IN (
    SELECT rowid FROM feedback AS f WHERE received_at < :cutoff
        AND NOT EXISTS (SELECT 1 FROM events WHERE feedback_key = f.feedback_key)
    ORDER BY received_at LIMIT :batch
);
DELETE FROM chains WHERE rowid IN (
    SELECT rowid FROM chains AS c WHERE received_at < :cutoff
        AND NOT EXISTS (SELECT 1 FROM events WHERE chain_id = c.id)
    ORDER BY received_at LIMIT :batch
);
