"""Everything that proves Courtesy right. A package, so that worlds and checkers can be shared between the folders."""
