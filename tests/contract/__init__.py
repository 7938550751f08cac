"""One suite per contract, run on everything that keeps it. A package, so that the tests can share their builders."""
