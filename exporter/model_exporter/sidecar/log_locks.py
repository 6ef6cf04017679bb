"""Locks on files: they end with the process that holds them, in whatever container it ran."""

import os


def hold(file: int) -> None:
    """Lock a file until it is closed; where there are no locks, do nothing."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    except (ImportError, OSError):
        return


def try_hold(file: int) -> bool | None:
    """Lock a file if nobody else does; None where there are no locks to tell by."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def close(file: int) -> None:
    """Close a file and end its lock, even if a child forked meanwhile has it open as well."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
    except (ImportError, OSError):
        pass
    finally:
        os.close(file)


def is_linked(file: int) -> bool:
    """Return whether an open file still has a name."""
    return os.fstat(file).st_nlink > 0
