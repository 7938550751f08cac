"""One standard form for what people write in many ways: addresses, numbers, names, dates. Pure; the raw value stays."""
