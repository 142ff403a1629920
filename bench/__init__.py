"""The comparison behind `make bench`: one run, in turns, on one machine."""
