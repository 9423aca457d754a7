"""From a record to the JSON that is sent: media, redaction, hook, on the worker."""
