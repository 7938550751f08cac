"""The engine contract: what Courtesy asks of a store, in prose and types. Engines implement it, one suite checks them."""
