-- What is not said this time stays as it was.
INSERT INTO feedback VALUES (:key, :rating, :better, :now)
ON CONFLICT (feedback_key) DO UPDATE SET
    rating = coalesce(excluded.rating, rating),
    better_response = coalesce(excluded.better_response, better_response),
    received_at = excluded.received_at;

DELETE FROM feedback WHERE feedback_key = :key AND :deleted;

UPDATE events SET rating = (SELECT rating FROM feedback WHERE feedback_key = :key)
WHERE feedback_key = :key;

SELECT :key AS feedback_key,
    (SELECT rating FROM feedback WHERE feedback_key = :key) AS rating,
    (SELECT better_response FROM feedback WHERE feedback_key = :key) AS better_response;
