"""What leaves and arrives on the link: Poisson schedules, cover, loops, Sphinx packets, the provider's link."""
