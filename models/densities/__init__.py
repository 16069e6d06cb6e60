"""What turns a pooled pyramid into energies, one per place and level: the flow, or simpler densities per channel."""
