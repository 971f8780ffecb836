"""A whole network in one process and in virtual time; trace and truth."""
