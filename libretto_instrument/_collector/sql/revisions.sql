SELECT r.id, r.hash, r.template, count(iif(e.replay IS NULL, 1, NULL)) AS calls,
    count(e.replay) AS replayed,
    min(e.received_at) AS first, max(e.received_at) AS last
FROM (
    SELECT * FROM revisions WHERE prompt_id = (SELECT id FROM prompts WHERE name = :prompt)
    ORDER BY id DESC LIMIT 50
) AS r
JOIN events AS e ON e.revision_id = r.id
GROUP BY r.id ORDER BY r.id DESC;
