"""The requests and responses of openai's endpoints, one module each."""
