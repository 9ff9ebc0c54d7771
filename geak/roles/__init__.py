"""The roles that ask a model: each a folder of templates, a typed answer and a parser."""
