"""The commands `mixnet bench`, `attack`, `plan` and `threats`."""
