"""People's own tables as series: csv, parquet and numpy files, what their columns are, and where training ends."""
