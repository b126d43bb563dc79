"""``python -m auditlens`` and the program ``auditlens``: the command line."""

__all__ = ["main"]


def main() -> None:
    """Run the command line; an interrupt counts while its modules are still being loaded."""
    try:
        from auditlens.cli import main as run
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run()


if __name__ == "__main__":
    main()
