"""What can go wrong before the API answers anyone."""


class ApiPortError(Exception):
    """The API's port cannot be opened."""
