"""Consent: what its ledger is bound to, how that is proven, how it is told to others. No I/O, no clock, no chance."""
