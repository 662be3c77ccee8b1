"""The face for people: commands that ask the daemon or its books, and terminal text for the answers."""
