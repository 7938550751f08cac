"""Which micro-segments differ most in an outcome, found on some people and checked on others.

`conditions.py` makes conditions of what is known of people, `search.py` joins them, `discover.py` checks what was
found.
"""
