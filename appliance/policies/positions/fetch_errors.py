"""Error codes of a Fetch partition that this package deals in.

Of the few codes that Java's fetch path accepts there, two fit a position that cannot be translated.
"""

from __future__ import annotations

from kio.schema.errors import ErrorCode

OUT_OF_RANGE_ERROR = ErrorCode.offset_out_of_range.value
"""The client does what its own reset policy says."""
REFUSED_ERROR = ErrorCode.unknown_server_error.value
"""The client warns, keeps its position and tries again: nothing is skipped until somebody decides."""
