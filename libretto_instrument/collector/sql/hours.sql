-- Calls by prompt and hour. A clock that was set back leaves some in the future.
SELECT prompt_id, min((received_at - :start) / 3600000, :hours - 1) AS hour, count(*) AS calls
FROM events WHERE received_at >= :start GROUP BY 1, 2;
