"""How well packets hide among one another: entropy, its optimum, and what spoils it (spec/13-measurements.md 13.1)."""
