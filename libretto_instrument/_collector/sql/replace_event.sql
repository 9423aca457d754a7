UPDATE events SET prompt_id = :prompt_id, revision_id = :revision_id, size = :size,
    has_params = :has_params
WHERE seq = :seq;
DELETE FROM bodies WHERE seq = :seq;
