"""Networks with a defence switched off: an attack must win there, or its figure is void."""
