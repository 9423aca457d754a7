-- Replays, the latest first; a vote on a replayed call counts before its score.
SELECT r.replay AS id, count(*) AS calls, count(DISTINCT r.case_id) AS cases,
    sum({verdict} = 'better') AS better, sum({verdict} = 'worse') AS worse,
    sum({verdict} = 'same') AS same, sum({verdict} = 'error') AS error,
    sum({verdict} = 'unscored') AS unscored, count(e.rating) AS votes,
    avg(r.score) AS score, avg(r.recorded_score) AS recorded_score,
    max(r.scored_by) AS scored_by, group_concat(DISTINCT p.name) AS prompts,
    group_concat(DISTINCT e.model) AS models, min(e.received_at) AS first,
    max(e.received_at) AS last, max(e.seq) AS seq, max(e.revision_id) AS revision_id,
    avg(iif(o.tokens_in IS NULL, NULL, e.tokens_in)) AS tokens_in,
    avg(iif(o.tokens_out IS NULL, NULL, e.tokens_out)) AS tokens_out,
    avg(iif(o.seq IS NULL, NULL, e.response_time)) AS response_time,
    avg(iif(e.tokens_in IS NULL, NULL, o.tokens_in)) AS tokens_in_before,
    avg(iif(e.tokens_out IS NULL, NULL, o.tokens_out)) AS tokens_out_before,
    avg(o.response_time) AS response_time_before, max(o.revision_id) AS revision_before
FROM replayed AS r
JOIN events AS e ON e.seq = r.seq
JOIN prompts AS p ON p.id = e.prompt_id
LEFT JOIN events AS o ON o.id = r.case_id
WHERE :id IS NULL OR r.replay = :id
GROUP BY r.replay ORDER BY max(e.seq) DESC LIMIT 200;
