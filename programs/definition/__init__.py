"""Definitions: named recipes for programs, in code or made by operators.

`start_program` starts a program of one. Changing a definition changes no program that exists.
"""

from programs.definition.code import DefinitionInCode, register_definition
from programs.definition.finding import check_start, find_definition, start_program
from programs.definition.finding import known_definitions as definitions
from programs.definition.recipe import AnyDefinition
from programs.definition.table import (
    StoredDefinition,
    change_definition,
    delete_definition,
    save_definition,
)

__all__ = [
    "AnyDefinition",
    "DefinitionInCode",
    "StoredDefinition",
    "change_definition",
    "check_start",
    "definitions",
    "delete_definition",
    "find_definition",
    "register_definition",
    "save_definition",
    "start_program",
]
