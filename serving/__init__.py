"""What was learnt, put to use: new data, Python programs, streams."""
