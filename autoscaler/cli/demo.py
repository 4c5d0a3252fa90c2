def demo() -> None:
    """See the whole job."""
