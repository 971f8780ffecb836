"""Real processes, driven and watched from outside."""
