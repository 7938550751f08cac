"""E-mail: a letter is composed, signed and carried, by SMTP or by a provider's API; what becomes of it is read back."""
