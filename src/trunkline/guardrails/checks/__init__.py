"""The checks that ship, one file each; all of them are found by the entry points that plugins use as well."""
