"""Mixes and providers: both peel Sphinx packets, delay them and send them on; providers also keep mailboxes.

See spec/04-mixing.md and spec/06-providers.md. Nothing is loaded from here: a worker process (spec/04-mixing.md 4.7)
needs few of these files.
"""
