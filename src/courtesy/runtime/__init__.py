"""The running system: wiring, ingest, the fold worker, the dispatcher, settings and telemetry."""
