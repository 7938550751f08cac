"""The whole system in one process, seeded, on virtual time, with faults in store, network, processes and clocks.

`run.simulate(seed)` lets a crowd of clients send to processes over one disk while things go wrong, lets it all come to
rest, and has the checkers look for what must always hold. The same seed gives the same run, step by step.
"""
