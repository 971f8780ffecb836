"""The state that all parts of the messenger share: conversations, what waits, transactions, events."""
