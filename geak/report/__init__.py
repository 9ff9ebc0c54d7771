"""A run as a page, as Markdown, as JSON, as JUnit XML: views of what its folder holds."""
