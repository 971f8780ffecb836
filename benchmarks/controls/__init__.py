"""Networks whose defence is taken out on purpose: an attack must win there, or its figure is void."""
