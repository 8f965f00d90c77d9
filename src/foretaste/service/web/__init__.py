"""Server-rendered pages of the service: the rating page and the administration pages."""
