"""Made-up telemetry: random processes, what goes wrong with them, and fleets of channels."""
