"""Where the numbers of checks come from: Prometheus, Graphite, and probes of our own."""
