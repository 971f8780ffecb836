"""Mixes and providers: packets in, peeled, held, and on their way; mailboxes at the edge.

See spec/04-mixing.md and spec/06-providers.md. Nothing is loaded from here: a worker process (spec/04-mixing.md 4.7)
needs few of these files.
"""
