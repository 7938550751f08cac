"""The template language, a part of Jinja: its tree, how it is read, checked and handed to the engine."""
