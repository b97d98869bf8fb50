"""Can this Python build the environment? Run as a script it answers with its exit status.

Written so that any Python 3.6 can read it: it is the file that tells such a Python it is too old.
"""

import importlib.util
import sys

OLDEST = (3, 11)


def obstacle(version: tuple = sys.version_info[:3], executable: str = sys.executable) -> str:
    """The sentence that says why this Python will not do, or "" when it will.

    version  (major, minor, ...) of the interpreter at `executable`.
    """
    found = ".".join(str(part) for part in version[:2])
    wanted = ".".join(str(part) for part in OLDEST)
    if tuple(version[:2]) < OLDEST:
        return (
            f"Python {wanted} or newer is needed, {executable} is {found}: "
            f"name one that is installed, for example `make PYTHON=python{wanted} host`."
        )
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            return (
                f"{executable} lacks the standard module {module}, so it cannot make a virtual "
                f"environment: install it (Debian, Ubuntu: `apt install python{found}-venv`) "
                "and run again."
            )
    return ""


if __name__ == "__main__":
    sys.exit(obstacle() or 0)
