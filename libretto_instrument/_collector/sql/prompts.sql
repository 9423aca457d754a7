-- The latest used; a filter finds the others. Times never step back along seq, so
-- that each of the last hours (the first first) is a stretch of seq.
WITH RECURSIVE hours (hour, start) AS (
    SELECT 1, :start
    UNION ALL SELECT hour + 1, start + 3600000 FROM hours WHERE hour < :hours
),
stretches AS MATERIALIZED (
    SELECT hour, coalesce((SELECT seq FROM events WHERE received_at >= start
        ORDER BY received_at, seq LIMIT 1), 9e18) AS first FROM hours
),
bounds AS MATERIALIZED (
    SELECT hour, first, coalesce(lead(first) OVER (ORDER BY hour), 9e18) AS beyond
    FROM stretches
)
SELECT p.name, f.*,
    (SELECT json_group_array((SELECT count(*) FROM events
        WHERE prompt_id = f.prompt_id AND replay IS NULL AND seq >= first AND seq < beyond))
        FROM (SELECT * FROM bounds ORDER BY hour)) AS hours
FROM (
    SELECT prompt_id, count(*) AS calls, sum(failed) AS errors, avg(failed) AS error_rate,
        sum(tokens) AS tokens, avg(rating) AS rating, count(rating) AS ratings, max(seq) AS seq
    FROM events WHERE {condition} AND replay IS NULL GROUP BY prompt_id
) AS f JOIN prompts AS p ON p.id = f.prompt_id
ORDER BY f.seq DESC LIMIT 500;
