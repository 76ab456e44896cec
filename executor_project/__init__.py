"""The project around the app: settings, URLs, servers' entry points."""
