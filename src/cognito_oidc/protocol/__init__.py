"""Ring 1: what is true. Pure functions and values; no network, clock, environment or log."""
