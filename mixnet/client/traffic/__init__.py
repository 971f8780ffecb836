"""The client's link: Poisson schedules, cover, loops, Sphinx packets.

See spec/04-mixing.md 4.5 and 4.6, spec/07-client.md 7.8.
"""
