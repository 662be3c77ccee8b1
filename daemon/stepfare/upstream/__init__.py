"""The network side: calls made, secrets looked up at the last moment."""
