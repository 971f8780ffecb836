"""The state that the messenger's parts share: sessions, transactions, events.

See spec/07-client.md 7.5 and 7.7.
"""
