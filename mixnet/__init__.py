"""What all roles share: packets, links, directory documents, time, errors."""
