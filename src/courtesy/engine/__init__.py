"""The engine contract: what Courtesy asks of a store. Engines implement it, one suite checks them all."""
