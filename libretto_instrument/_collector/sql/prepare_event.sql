-- What an event is stored with. A clock that steps back must not put the order in doubt:
-- a time is looked up as a place in the order of seq.
SELECT
    (SELECT p.name FROM events AS e JOIN prompts AS p ON p.id = e.prompt_id
        WHERE e.id = :id) AS stored_as,
    max(:now, coalesce((SELECT received_at FROM events ORDER BY seq DESC LIMIT 1), 0)) AS received_at,
    (SELECT rating FROM feedback WHERE feedback_key = :feedback_key) AS rating,
    p.id AS prompt_id, r.id AS revision_id
FROM (SELECT 1)
LEFT JOIN prompts AS p ON p.name = :name
LEFT JOIN revisions AS r ON r.prompt_id = p.id AND r.hash = :hash;
