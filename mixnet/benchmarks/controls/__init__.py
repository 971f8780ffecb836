"""Networks with a defence switched off, where an attack must win."""
