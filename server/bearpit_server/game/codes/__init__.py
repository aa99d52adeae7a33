"""Codes that bring something, and newcomers whom somebody brings along."""
