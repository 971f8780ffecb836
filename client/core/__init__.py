"""The state that all parts of the messenger share: sessions in memory, what is to be sent, transactions, events.

See spec/07-client.md 7.5 and 7.7.
"""
