"""What can go wrong before there is a report: one small tree."""


class ReportError(Exception):
    """No report can be made of this directory; the message names the file and what to do."""


class MissingFileError(ReportError):
    """A file that the report is made from is not in the run directory."""


class UnreadableSummaryError(ReportError):
    """`summary.json` is there and does not hold a summary of this version."""
