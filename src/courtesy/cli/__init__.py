"""The command line. `courtesy --help` shows it all."""

from courtesy.cli.main import main

__all__ = ["main"]
