"""The state that all parts of the messenger share: conversations, what waits, transactions, events.

See spec/07-client.md 7.5 and 7.8.
"""
