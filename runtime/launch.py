"""What torchrun tells each of the processes that it starts, in the environment."""

import os

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def missing() -> list[str]:
    """Of what torchrun sets, what is not set; empty where this process is one of several."""
    return [name for name in VARIABLES if not os.environ.get(name)]


def wrong() -> str:
    """What is set, but cannot be, in words; empty where all is right."""
    try:
        rank, size, port = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"))
    except ValueError as error:
        return f"RANK, WORLD_SIZE and MASTER_PORT must be numbers ({error})"
    if not 0 <= rank < size:
        return f"RANK = {rank} is not one of WORLD_SIZE = {size} processes, counted from 0"
    return "" if 0 <= port < 2**16 else f"MASTER_PORT = {port} is no port"


def rank() -> int:
    """The number of this process, from 0: that of the only one where it is alone."""
    return 0 if missing() or wrong() else int(os.environ["RANK"])
