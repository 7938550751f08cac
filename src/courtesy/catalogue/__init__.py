"""Catalogues: products, stores, articles; what an entry is, how two of its versions differ, and who hears of it."""
