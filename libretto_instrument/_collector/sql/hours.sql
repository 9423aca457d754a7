SELECT hour, calls FROM hours WHERE prompt_id = :prompt_id AND hour > :hour;
