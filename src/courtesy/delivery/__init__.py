"""What becomes of messages: reports of other systems, read into one form, and what follows from them."""
