"""What the eye of a reviewer would check in every change, checked by a test instead."""
