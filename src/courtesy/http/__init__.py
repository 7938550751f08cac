"""HTTP: the tracking API, reading people, definitions and operations, and the document that describes it all."""
