-- An event takes more room than its body: what is searched, the indexes. So only a part
-- of what is too much goes at once, and the next look says what is left. Cases stay:
-- calls with a correction or a good rating.
SELECT seq FROM (
    SELECT seq, received_at, sum(size) OVER (ORDER BY seq) - size AS above FROM (
        SELECT seq, received_at, size FROM events AS e
        WHERE :delete_cases OR replay IS NOT NULL OR NOT EXISTS (
            SELECT 1 FROM feedback AS f WHERE f.feedback_key = e.feedback_key
            AND (f.better_response IS NOT NULL OR f.rating >= 0.75)
        ) ORDER BY seq LIMIT :batch
    )
) WHERE received_at < :cutoff OR above < :excess / 4 ORDER BY seq;
