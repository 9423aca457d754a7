INSERT INTO prompts (name) VALUES (:name) ON CONFLICT DO NOTHING;

INSERT INTO revisions (prompt_id, hash, template)
SELECT id, :hash, :template FROM prompts WHERE name = :name ON CONFLICT DO NOTHING;
