DELETE FROM revisions WHERE id NOT IN (SELECT revision_id FROM events);
DELETE FROM prompts WHERE id NOT IN (SELECT prompt_id FROM events);
