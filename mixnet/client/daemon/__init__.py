"""The daemon of one profile: its parts, how they are connected, its process (spec/07-client.md 7.8)."""
