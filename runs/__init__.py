"""The folder of a run and the score files in it."""
