"""What the engine says to databases of which there is no server here, compiled and compared."""
