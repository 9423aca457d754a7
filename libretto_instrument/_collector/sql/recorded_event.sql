-- The recorded call that a replayed one is of.
SELECT b.body, f.better_response
FROM replayed AS r
JOIN events AS o ON o.id = r.case_id
JOIN bodies AS b ON b.seq = o.seq
LEFT JOIN feedback AS f ON f.feedback_key = o.feedback_key
WHERE r.seq = :seq;
