"""The shared language of the mixnet: packets, links, directory documents, time and errors; it imports no other room."""
