INSERT INTO chains VALUES (:id, :result, :now)
ON CONFLICT (id) DO UPDATE SET result = excluded.result, received_at = excluded.received_at;

SELECT :id AS id;
