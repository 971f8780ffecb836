"""Files under way, in and out."""
