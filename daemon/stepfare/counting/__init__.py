"""Tokens counted by ourselves: the vocabulary, what of a conversation was counted already, and how other models' tokens compare."""
