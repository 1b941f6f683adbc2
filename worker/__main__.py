"""`python -m worker` runs a worker."""

from worker.app import main

if __name__ == "__main__":
    main()
