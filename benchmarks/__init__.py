"""How fast Tocsin is, beside two floors measured in the same run: `python -m benchmarks`."""
