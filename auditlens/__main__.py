"""``python -m auditlens``: the command line."""

from auditlens.cli import main

if __name__ == "__main__":
    main()
