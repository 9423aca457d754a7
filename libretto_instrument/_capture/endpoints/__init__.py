"""What openai's endpoints ask and answer, one module each."""
