-- What is not said this time stays as it was.
INSERT INTO feedback VALUES (:key, :rating, :better, :now)
ON CONFLICT (feedback_key) DO UPDATE SET
    rating = coalesce(excluded.rating, rating),
    better_response = coalesce(excluded.better_response, better_response),
    received_at = excluded.received_at;

DELETE FROM feedback WHERE feedback_key = :key AND :deleted;

-- One key is one event's. Were it that of many, one post could not be made to change all.
UPDATE events SET rating = (SELECT rating FROM feedback WHERE feedback_key = :key)
WHERE seq IN (SELECT seq FROM events WHERE feedback_key = :key ORDER BY seq DESC LIMIT 100);

SELECT :key AS feedback_key,
    (SELECT rating FROM feedback WHERE feedback_key = :key) AS rating,
    (SELECT better_response FROM feedback WHERE feedback_key = :key) AS better_response;
