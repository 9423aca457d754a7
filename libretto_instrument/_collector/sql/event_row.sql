-- An event as listings show it.
SELECT e.*, p.name AS prompt, b.ask, b.answer, {body} AS body, f.better_response
FROM events AS e
JOIN prompts AS p ON p.id = e.prompt_id
JOIN bodies AS b ON b.seq = e.seq
LEFT JOIN feedback AS f ON f.feedback_key = e.feedback_key
WHERE e.seq = :seq;
