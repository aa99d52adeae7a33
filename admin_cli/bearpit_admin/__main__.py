"""`bearpit-admin` and `python -m bearpit_admin`."""

from bearpit_admin.app import app


def main() -> None:
    """Run one command."""
    app(prog_name="bearpit-admin")


if __name__ == "__main__":
    main()
