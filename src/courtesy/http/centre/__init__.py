"""The pages for customers: the preference centre and unsubscribing, as HTML that needs neither scripts nor a login."""
