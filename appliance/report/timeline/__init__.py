"""The run as a picture: one inline SVG without script, one lane per kind of happening and one per client.

`lanes` says what there is to see, `placement` where it goes so that no two labels meet, `drawing` makes the
SVG.
"""
