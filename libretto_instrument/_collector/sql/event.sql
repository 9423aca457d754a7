SELECT e.*, p.name AS prompt, b.ask, b.answer, b.body, f.better_response, c.result
FROM events AS e
JOIN prompts AS p ON p.id = e.prompt_id
JOIN bodies AS b ON b.seq = e.seq
LEFT JOIN chains AS c ON c.id = e.chain_id
LEFT JOIN feedback AS f ON f.feedback_key = e.feedback_key
WHERE e.seq = :seq;
