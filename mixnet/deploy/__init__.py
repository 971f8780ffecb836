"""Running a network: on this machine with one command, or on many machines (docs/running.md)."""
