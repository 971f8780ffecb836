"""A whole network of real actors in one process, in virtual time, and what happened in it."""
