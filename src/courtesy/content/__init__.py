"""What is said to people: templates, blocks of a mail, links, limits, and the checks before it is published. No I/O."""
