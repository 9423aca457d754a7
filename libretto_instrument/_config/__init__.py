"""Settings: their fields, the environment, how layers are merged, and scopes."""
