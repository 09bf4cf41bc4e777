"""What goes wrong on the way to a server, in words."""

import os
import re


def in_short(error: OSError) -> str:
    """What the system says, without numbers and addresses; once, where several addresses of a name were tried in vain."""
    if error.errno is None:
        tried = dict.fromkeys(int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error)))
        return " and ".join(map(os.strerror, tried)) or str(error)
    # The system's numbers are above 0; the resolver's are below.
    return os.strerror(error.errno) if error.errno > 0 else error.strerror or str(error)
