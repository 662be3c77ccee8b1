"""The face for programs: HTTP on the loopback port, inference for agents and control for editors and the command line."""
