"""Profilers, each optional, around the judge's own replay of exactly the plan that the profile is shown beside."""
