-- The latest used; a filter finds the others.
SELECT p.name, f.* FROM (
    SELECT prompt_id, count(*) AS calls, sum(failed) AS errors, avg(failed) AS error_rate, sum(tokens) AS tokens,
        avg(rating) AS rating, count(rating) AS ratings, max(seq) AS seq
    FROM events WHERE {condition} GROUP BY prompt_id
) AS f JOIN prompts AS p ON p.id = f.prompt_id
ORDER BY f.seq DESC LIMIT 500;
