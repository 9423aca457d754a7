-- An event that was read again: another template, perhaps another name.
INSERT INTO prompts (name) VALUES (:name) ON CONFLICT DO NOTHING;

INSERT INTO revisions (prompt_id, hash, template)
SELECT id, :hash, :template FROM prompts WHERE name = :name ON CONFLICT DO NOTHING;

UPDATE events SET
    prompt_id = (SELECT id FROM prompts WHERE name = :name),
    revision_id = (
        SELECT r.id FROM revisions AS r JOIN prompts AS p ON p.id = r.prompt_id
        WHERE p.name = :name AND r.hash = :hash
    ),
    size = length(:body)
WHERE seq = :seq;

DELETE FROM bodies WHERE seq = :seq;

INSERT INTO bodies VALUES (:seq, :ask, :answer, :text, :body);
