-- What is known of each revision of a template with each model, by the newest calls of
-- programs.
WITH calls AS (
    SELECT e.*, f.better_response IS NOT NULL AS corrected,
        row_number() OVER (PARTITION BY revision_id, model ORDER BY response_time) AS place,
        count(*) OVER (PARTITION BY revision_id, model) AS size_of_group
    FROM (
        SELECT * FROM events
        WHERE prompt_id = (SELECT id FROM prompts WHERE name = :prompt) AND replay IS NULL
        ORDER BY seq DESC LIMIT 5000
    ) AS e LEFT JOIN feedback AS f ON f.feedback_key = e.feedback_key
)
SELECT c.revision_id, r.hash, c.model, count(*) AS calls, sum(corrected) AS corrected,
    count(rating) AS ratings, total(rating) AS total, total(rating * rating) AS squares,
    sum(failed) AS errors, avg(tokens_in) AS tokens_in, avg(tokens_out) AS tokens_out,
    max(iif(place = (size_of_group + 1) / 2, response_time, NULL)) AS p50,
    max(iif(place = (size_of_group * 95 + 99) / 100, response_time, NULL)) AS p95,
    max(received_at) AS last
FROM calls AS c JOIN revisions AS r ON r.id = c.revision_id
GROUP BY c.revision_id, c.model ORDER BY c.revision_id DESC, calls DESC LIMIT 100;
