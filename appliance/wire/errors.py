"""The one error of this ring."""


class Malformed(Exception):
    """Bytes that are not what they claim to be; the message says what was expected and what was found."""
