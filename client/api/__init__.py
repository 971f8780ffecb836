"""The daemon's verbs, each written once, and both ends of the local socket."""
