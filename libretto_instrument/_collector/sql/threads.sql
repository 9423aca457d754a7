-- Chats or chains, the latest used first. A chain's result may be here before its calls.
SELECT t.*, c.result, a.ask, z.answer, e.received_at,
    (SELECT sum(failed) FROM events WHERE {column} = t.id) AS errors
FROM (
    SELECT {column} AS id, count(*) AS calls, min(seq) AS first, max(seq) AS seq
    FROM events WHERE {column} IS NOT NULL AND (:id IS NULL OR {column} = :id) GROUP BY {column}
    HAVING max(seq) < :before ORDER BY max(seq) DESC LIMIT :limit + 1
) AS t
JOIN events AS e ON e.seq = t.seq
JOIN bodies AS a ON a.seq = t.first
JOIN bodies AS z ON z.seq = t.seq
LEFT JOIN chains AS c ON c.id = t.id
UNION ALL
SELECT id, 0, 0, 0, result, '', '', received_at, 0 FROM chains
WHERE '{column}' = 'chain_id' AND id = :id
    AND NOT EXISTS (SELECT 1 FROM events WHERE chain_id = :id)
ORDER BY seq DESC;
