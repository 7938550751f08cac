"""Events: what comes in over the wire, what an accepted one looks like, and why one is not accepted."""
