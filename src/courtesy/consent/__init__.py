"""What people allow, refuse and like: one ledger, and what follows from it."""
