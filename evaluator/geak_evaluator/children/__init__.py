"""What runs confined: each module's `main` is one kind of child."""
