"""Conversations without a name: public addresses and reply blocks, both sides."""
