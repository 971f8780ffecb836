"""`python -m mixnet` is the `mixnet` command."""

from mixnet.cli import main

main()
