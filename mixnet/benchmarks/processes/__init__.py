"""Networks of real processes, loaded and observed from outside."""
