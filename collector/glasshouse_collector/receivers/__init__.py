"""Everything that lets telemetry in."""
