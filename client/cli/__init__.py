"""The commands of a person, one module for each noun."""
