SELECT rowid AS seq, * FROM feedback
WHERE rowid < :before AND (:id IS NULL OR feedback_key = :id) ORDER BY rowid DESC LIMIT :limit + 1;
