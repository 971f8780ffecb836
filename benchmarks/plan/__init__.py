"""`mixnet plan`: what the parameters of a network give and cost, before it runs."""
