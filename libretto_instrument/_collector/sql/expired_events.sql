-- The oldest events: those before the cutoff, or as many as take up the excess. An event
-- takes more room than its body does, so the next look says what is left. Cases stay:
-- calls with a correction or a good rating.
SELECT * FROM (
    SELECT e.*, b.body, sum(length(b.body)) OVER (ORDER BY e.seq) - length(b.body) AS above
    FROM (
        SELECT * FROM events AS e
        WHERE :delete_cases OR replay IS NOT NULL OR NOT EXISTS (
            SELECT 1 FROM feedback AS f WHERE f.feedback_key = e.feedback_key
            AND (f.better_response IS NOT NULL OR f.rating >= 0.75)
        ) ORDER BY seq LIMIT :batch
    ) AS e
    JOIN bodies AS b ON b.seq = e.seq
) WHERE received_at < :cutoff OR above < :excess / 4 ORDER BY seq;
