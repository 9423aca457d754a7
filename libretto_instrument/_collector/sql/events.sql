-- A page of events; bodies as long as they fit into :max_bytes.
SELECT e.*, p.name AS prompt, b.ask, b.answer, f.better_response,
    iif(page.above < :max_bytes, b.body, NULL) AS body
FROM (
    SELECT seq, sum(size) OVER (ORDER BY seq DESC) - size AS above FROM (
        SELECT seq, size FROM events WHERE {condition} ORDER BY seq DESC LIMIT :limit + 1
    )
) AS page
CROSS JOIN events AS e ON e.seq = page.seq
JOIN prompts AS p ON p.id = e.prompt_id
JOIN bodies AS b ON b.seq = e.seq
LEFT JOIN feedback AS f ON f.feedback_key = e.feedback_key
ORDER BY e.seq DESC;
