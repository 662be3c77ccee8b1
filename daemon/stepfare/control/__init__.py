"""The door for editors and the command line: messages, and a client that finds the daemon and asks it."""
