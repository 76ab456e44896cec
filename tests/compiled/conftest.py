"""These tests need the drivers of `requirements-databases.txt`, which `make test-databases` has."""

from importlib.util import find_spec

DRIVERS = ("mssql", "oracledb", "django_redshift_backend")

collect_ignore_glob = [] if all(map(find_spec, DRIVERS)) else ["test_*.py"]
