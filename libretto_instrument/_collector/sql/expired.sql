-- An event takes more room than its body: what is searched, the indexes. So only a part
-- of what is too much goes at once, and the next look says what is left.
SELECT seq FROM (
    SELECT seq, received_at, sum(size) OVER (ORDER BY seq) - size AS above FROM (
        SELECT seq, received_at, size FROM events ORDER BY seq LIMIT :batch
    )
) WHERE received_at < :cutoff OR above < :excess / 4 ORDER BY seq;
