"""Types that all rooms use: views, states, errors, limits. Pure (spec/07-client.md 7.9)."""
