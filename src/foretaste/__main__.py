"""``python -m foretaste`` is the command ``foretaste``."""

from foretaste.cli import main

if __name__ == "__main__":
    main()
