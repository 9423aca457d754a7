INSERT INTO replayed VALUES (
    :replay, :case_id, :attempt, :seq, :score, :recorded_score, :verdict, :scored_by
)
ON CONFLICT (replay, case_id, attempt) DO UPDATE SET
    seq = excluded.seq, score = excluded.score, recorded_score = excluded.recorded_score,
    verdict = excluded.verdict, scored_by = excluded.scored_by
WHERE excluded.seq > seq;
