"""`python -m geak`."""

from geak.cli import main

if __name__ == "__main__":
    main()
