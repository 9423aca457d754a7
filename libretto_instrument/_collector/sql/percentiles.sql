-- Each counted from the nearer end of the index.
SELECT
    (SELECT response_time FROM events WHERE prompt_id = :prompt_id AND replay IS NULL
        ORDER BY response_time LIMIT 1 OFFSET :calls / 2) AS p50,
    (SELECT response_time FROM events WHERE prompt_id = :prompt_id AND replay IS NULL
        ORDER BY response_time DESC LIMIT 1 OFFSET :calls - 1 - :calls * 95 / 100) AS p95;
