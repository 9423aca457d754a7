-- A chain whose result is here before its calls.
SELECT id, 0 AS seq, received_at, '' AS answer, result, '' AS ask, 0 AS calls, 0 AS errors
FROM chains WHERE id = :id;
