INSERT INTO events VALUES (
    NULL, :id, :received_at, :prompt_id, :revision_id, :feedback_key, :chat_id, :chain_id,
    :model, :response_time, :tokens, :failed, :rating, :size,
    :replay, :tokens_in, :tokens_out, :has_params
);
