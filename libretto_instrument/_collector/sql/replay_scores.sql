SELECT score, recorded_score FROM replayed
WHERE replay = :id AND score IS NOT NULL AND recorded_score IS NOT NULL;
