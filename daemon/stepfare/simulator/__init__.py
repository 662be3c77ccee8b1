"""A provider that needs no key: it plays a coding agent's moves over real HTTP and never claims to be a model."""
