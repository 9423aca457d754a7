-- What no event refers to any more. Feedback and results may come before the events
-- they belong to, so that only those older than the oldest event go.
DELETE FROM revisions WHERE id NOT IN (SELECT revision_id FROM events);
DELETE FROM prompts WHERE id NOT IN (SELECT prompt_id FROM events);
DELETE FROM feedback WHERE feedback_key NOT IN (SELECT feedback_key FROM events)
    AND received_at < (SELECT coalesce(min(received_at), 9e18) FROM events);
DELETE FROM chains
WHERE id NOT IN (SELECT chain_id FROM events WHERE chain_id IS NOT NULL)
    AND received_at < (SELECT coalesce(min(received_at), 9e18) FROM events);
INSERT INTO search (search, rank) VALUES ('merge', 500);
