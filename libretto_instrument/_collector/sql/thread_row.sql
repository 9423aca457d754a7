-- A chat or a chain by its last event: its first question and its last answer. Calls
-- and errors are counted no further than :limit.
SELECT e.{column} AS id, e.seq, e.received_at, b.answer, c.result,
    (SELECT ask FROM bodies WHERE seq =
        (SELECT min(seq) FROM events WHERE {column} = e.{column})) AS ask,
    (SELECT count(*) FROM (
        SELECT 1 FROM events WHERE {column} = e.{column} LIMIT :limit)) AS calls,
    (SELECT sum(failed) FROM (
        SELECT failed FROM events WHERE {column} = e.{column} LIMIT :limit)) AS errors
FROM events AS e
JOIN bodies AS b ON b.seq = e.seq
LEFT JOIN chains AS c ON c.id = e.chain_id AND '{column}' = 'chain_id'
WHERE e.seq = :seq;
