-- Count an event (:n is 1), or no longer (-1).
UPDATE prompts SET calls = calls + :n, errors = errors + :n * :failed,
    tokens = iif(:tokens IS NULL, tokens, coalesce(tokens, 0) + :n * :tokens),
    ratings = ratings + :n * (:rating IS NOT NULL),
    rating_sum = rating_sum + :n * coalesce(:rating, 0),
    last_seq = max(last_seq, :seq)
WHERE id = :prompt_id;

INSERT INTO hours VALUES (:prompt_id, :received_at / 3600000, :n)
ON CONFLICT DO UPDATE SET calls = calls + :n;
