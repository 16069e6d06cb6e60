"""Damaged, odd and hostile files for everything that reads one: see `harness`, and CONTRIBUTING for the command."""
