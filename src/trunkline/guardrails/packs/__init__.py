"""Labelled cases of the checks that come with Trunkline, a file for each, and what is asked of them."""
