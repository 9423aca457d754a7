-- What the event referred to, unless another one does.
DELETE FROM prompts WHERE id = :prompt_id AND calls = 0
    AND NOT EXISTS (SELECT 1 FROM events WHERE prompt_id = :prompt_id AND replay IS NOT NULL);
DELETE FROM hours WHERE prompt_id = :prompt_id AND hour = :received_at / 3600000 AND calls = 0;
DELETE FROM revisions WHERE id = :revision_id
    AND NOT EXISTS (SELECT 1 FROM events WHERE revision_id = :revision_id);
DELETE FROM feedback WHERE feedback_key = :feedback_key
    AND NOT EXISTS (SELECT 1 FROM events WHERE feedback_key = :feedback_key);
DELETE FROM chains WHERE id = :chain_id
    AND NOT EXISTS (SELECT 1 FROM events WHERE chain_id = :chain_id);
