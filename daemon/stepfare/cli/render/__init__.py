"""Control messages as terminal text: values to words, messages to blocks, blocks to a terminal or a pipe."""
