"""Offers: what they promise, who holds one, and whether it may be redeemed now."""
