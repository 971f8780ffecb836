"""Running a network: on this machine with one command, or on many."""
