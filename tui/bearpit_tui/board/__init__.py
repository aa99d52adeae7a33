"""`bearpit board`: the game on a wall, for everybody in the room, by an account that cannot trade."""

from bearpit_tui.board.command import main

__all__ = ["main"]
