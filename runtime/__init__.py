"""What a program needs whatever it is about: errors, files, arrays, processes, progress, registries."""
