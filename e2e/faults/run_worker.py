"""A worker as it is deployed, which also knows the fault tests' topics."""

from e2e.faults import topics  # noqa: F401  registers them
from worker.app import main

if __name__ == "__main__":
    main()
