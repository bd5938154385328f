"""The version, in the one place that the package itself reads it from."""

__version__ = "0.1.0"
