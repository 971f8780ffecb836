"""The daemon's verbs, each written once; both ends of the local socket (spec/07-client.md 7.9 and 7.10)."""
