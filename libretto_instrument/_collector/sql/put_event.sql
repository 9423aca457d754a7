-- An id that is known already changes nothing.
INSERT INTO prompts (name) SELECT :name
WHERE NOT EXISTS (SELECT 1 FROM events WHERE id = :promptEventId) ON CONFLICT DO NOTHING;

INSERT INTO revisions (prompt_id, hash, template)
SELECT id, :hash, :template FROM prompts
WHERE name = :name AND NOT EXISTS (SELECT 1 FROM events WHERE id = :promptEventId)
ON CONFLICT DO NOTHING;

-- A clock that steps back must not put the order in doubt: a time is looked up as a
-- place in the order of seq. The response's model is the exact one: "gpt-5.4" is asked,
-- a dated one answers.
INSERT INTO events
WITH said AS (
    SELECT json_extract(:body, '$.rawResponse.model') AS answered_by,
        json_extract(:body, '$.modelParameters.model') AS asked,
        json_extract(:body, '$.responseMetrics.usage.total_tokens') AS measured,
        json_extract(:body, '$.rawResponse.usage.total_tokens') AS counted,
        json_extract(:body, '$.context.replay') AS replay,
        coalesce(json_extract(:body, '$.responseMetrics.usage.prompt_tokens'),
            json_extract(:body, '$.responseMetrics.usage.input_tokens')) AS sent,
        coalesce(json_extract(:body, '$.responseMetrics.usage.completion_tokens'),
            json_extract(:body, '$.responseMetrics.usage.output_tokens')) AS received
)
SELECT NULL, :promptEventId,
    max(:now, coalesce((SELECT received_at FROM events ORDER BY seq DESC LIMIT 1), 0)),
    p.id, r.id, :feedbackKey, nullif(:chatId, ''), nullif(:chainId, ''),
    CASE 'text' WHEN typeof(answered_by) THEN answered_by WHEN typeof(asked) THEN asked END,
    :responseTime,
    CASE WHEN typeof(measured) = 'integer' AND measured BETWEEN 0 AND 1e12 THEN measured
        WHEN typeof(counted) = 'integer' AND counted BETWEEN 0 AND 1e12 THEN counted END,
    coalesce(json_array_length(:body, '$.responseErrors'), 0) > 0,
    (SELECT rating FROM feedback WHERE feedback_key = :feedbackKey),
    length(:body),
    CASE typeof(replay) WHEN 'text' THEN nullif(substr(replay, 1, 500), '') END,
    CASE WHEN typeof(sent) = 'integer' AND sent BETWEEN 0 AND 1e12 THEN sent END,
    CASE WHEN typeof(received) = 'integer' AND received BETWEEN 0 AND 1e12 THEN received END
FROM said, prompts AS p JOIN revisions AS r ON r.prompt_id = p.id AND r.hash = :hash
WHERE p.name = :name AND NOT EXISTS (SELECT 1 FROM events WHERE id = :promptEventId);

INSERT INTO bodies SELECT seq, :ask, :answer, :text, :body
FROM events WHERE id = :promptEventId ON CONFLICT DO NOTHING;

-- What events are found by: the first entries, each as far as it may be asked for.
INSERT INTO context
SELECT * FROM (
    SELECT substr(c.key, 1, 500),
        substr(CASE c.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'
            WHEN 'null' THEN 'null' ELSE c.value END, 1, 500),
        e.seq
    FROM json_each(:body, '$.context') AS c CROSS JOIN events AS e
    WHERE e.id = :promptEventId LIMIT 100
) WHERE true ON CONFLICT DO NOTHING;

INSERT INTO replayed
SELECT replay, substr(case_id, 1, 500), attempt, seq,
    CASE WHEN typeof(score) IN ('real', 'integer') THEN score END,
    CASE WHEN typeof(before) IN ('real', 'integer') THEN before END,
    CASE WHEN verdict IN ('better', 'worse', 'same', 'error') THEN verdict
        ELSE 'unscored' END,
    CASE typeof(scored_by) WHEN 'text' THEN substr(scored_by, 1, 100) END
FROM (
    SELECT e.replay, e.seq, json_extract(b.body, '$.context.case') AS case_id,
        CASE json_type(b.body, '$.context.attempt') WHEN 'integer'
            THEN json_extract(b.body, '$.context.attempt') ELSE 0 END AS attempt,
        json_extract(b.body, '$.context.score') AS score,
        json_extract(b.body, '$.context.recorded_score') AS before,
        json_extract(b.body, '$.context.verdict') AS verdict,
        json_extract(b.body, '$.context.scored_by') AS scored_by
    FROM events AS e JOIN bodies AS b ON b.seq = e.seq
    WHERE e.id = :promptEventId AND e.replay IS NOT NULL
) WHERE typeof(case_id) = 'text'
ON CONFLICT (replay, case_id, attempt) DO UPDATE SET
    seq = excluded.seq, score = excluded.score, recorded_score = excluded.recorded_score,
    verdict = excluded.verdict, scored_by = excluded.scored_by
WHERE excluded.seq > seq;

SELECT events.id, prompts.name AS api_name
FROM events JOIN prompts ON prompts.id = events.prompt_id WHERE events.id = :promptEventId;
