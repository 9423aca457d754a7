-- The latest used; a filter finds the others.
SELECT id AS prompt_id, name, calls, errors, errors * 1.0 / calls AS error_rate, tokens,
    iif(ratings, rating_sum / ratings, NULL) AS rating, ratings, last_seq AS seq
FROM prompts WHERE calls AND (:prompt IS NULL OR name = :prompt)
ORDER BY last_seq DESC LIMIT 500;
