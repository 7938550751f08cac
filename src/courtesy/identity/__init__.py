"""Who is who: identifier kinds and their rules, and the resolution of identifiers to people. No I/O."""
