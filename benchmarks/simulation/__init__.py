"""A whole network of real actors in one process, in virtual time, with its trace and ground truth."""
