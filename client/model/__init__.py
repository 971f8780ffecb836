"""What everybody speaks of: views, states, errors, limits. Pure."""
