"""What the server does for an editor, one file a feature: each turns LSP into a question, asks, and turns the answer back."""
