"""A real program on real data: the airports of the world, from a CSV file to a report.

The rows are those of the package `airportsdata`, or of a CSV file with the same columns whose
path is given as `file` in the program data. They are kept in files (`folder`), never in job data:
that holds a cursor and counts.

    from jobs.airports import PROGRAM
    create_program(PROGRAM)
    create_program(PROGRAM, {"file": "/data/airports.csv"})
"""

from jobs.airports.aggregation import AggregateAirports
from jobs.airports.chart import DrawAirports
from jobs.airports.clocks import LookUpClocks
from jobs.airports.importing import ImportAirports
from jobs.airports.report import ReportAirports
from jobs.airports.validation import ValidateAirports

PROGRAM = [
    ImportAirports.name,
    ValidateAirports.name,
    AggregateAirports.name,
    LookUpClocks.name,
    DrawAirports.name,
    ReportAirports.name,
]
