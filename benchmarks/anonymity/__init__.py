"""How well packets hide among one another: entropy, its optimum, and what spoils it (SPEC.md section 13.1)."""
