"""`autoscaler demo`: `command` tells the story, `processes` starts what plays in it, `screen` shows it."""

from autoscaler.cli.demo.command import demo

__all__ = ["demo"]
