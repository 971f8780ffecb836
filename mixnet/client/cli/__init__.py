"""The commands of a person, one module for each noun (spec/09-command.md)."""
