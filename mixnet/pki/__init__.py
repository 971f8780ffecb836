"""The directory's formats: descriptors, the signed document, the bootstrap file; and reading them."""
