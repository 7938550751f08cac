"""Assets: pictures and documents, by the SHA-256 of their content, and pictures in the sizes asked for."""
