"""Programs for the Python libraries; `reporting` is what they share."""
