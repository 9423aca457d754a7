-- Replayed calls that can be compared with the recorded ones and were not yet, those
-- first that no score tells apart.
SELECT r.seq FROM replayed AS r
JOIN events AS e ON e.seq = r.seq
JOIN bodies AS b ON b.seq = e.seq
JOIN events AS o ON o.id = r.case_id
JOIN bodies AS ob ON ob.seq = o.seq
WHERE r.replay = :id AND e.rating IS NULL AND NOT e.failed AND NOT o.failed
    AND (json_extract(inflate(b.body), '$.response') IS NOT json_extract(inflate(ob.body), '$.response')
        OR json_extract(inflate(b.body), '$.toolCalls') IS NOT json_extract(inflate(ob.body), '$.toolCalls'))
ORDER BY r.verdict NOT IN ('unscored', 'same'), r.case_id, r.attempt;
