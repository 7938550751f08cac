"""What an adapter declares about itself, and what follows from that: checks, a schema, documentation."""
