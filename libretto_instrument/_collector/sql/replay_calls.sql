-- A page of a replay's calls, those that need a look first.
SELECT page.*, p.name AS prompt, e.model, e.rating, e.feedback_key, e.response_time,
    b.ask, json_extract(inflate(b.body), '$.response') AS response,
    json_extract(inflate(b.body), '$.toolCalls') AS tool_calls,
    json_extract(inflate(b.body), '$.responseErrors') AS errors,
    o.seq AS recorded_seq, json_extract(inflate(ob.body), '$.response') AS recorded_response,
    json_extract(inflate(ob.body), '$.toolCalls') AS recorded_tool_calls, f.better_response
FROM (
    SELECT r.*, {verdict} AS judged FROM replayed AS r JOIN events AS e ON e.seq = r.seq
    WHERE r.replay = :id AND (:verdict IS NULL OR {verdict} = :verdict)
    ORDER BY {rank}, r.case_id, r.attempt LIMIT :limit OFFSET :offset
) AS page
JOIN events AS e ON e.seq = page.seq
JOIN prompts AS p ON p.id = e.prompt_id
JOIN bodies AS b ON b.seq = e.seq
LEFT JOIN events AS o ON o.id = page.case_id
LEFT JOIN bodies AS ob ON ob.seq = o.seq
LEFT JOIN feedback AS f ON f.feedback_key = o.feedback_key
ORDER BY {rank_of_page}, page.case_id, page.attempt;
