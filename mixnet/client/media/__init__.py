"""Voice messages and pictures of codes: packed, recorded, played, and read in a process of little power."""
