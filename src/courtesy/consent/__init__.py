"""What people allow, as others write it down: IAB TCF and GPP strings, read and written, and what they mean. No I/O."""
