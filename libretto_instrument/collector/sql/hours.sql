-- Calls of a prompt in each hour from :start on, the first first.
WITH RECURSIVE hours (hour, start) AS (
    SELECT 1, :start
    UNION ALL SELECT hour + 1, start + 3600000 FROM hours WHERE hour < :hours
)
SELECT (
    SELECT count(*) FROM events
    WHERE prompt_id = :prompt_id AND received_at >= start AND received_at < start + 3600000
) AS calls FROM hours ORDER BY hour;
