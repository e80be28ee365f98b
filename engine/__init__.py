"""The front door for node authors.

>>> from engine import node
>>> @node("Double", category="maths")
... def double(*, value: int) -> int:
...     '''Twice the value.'''
...     return 2 * value
>>> double(value=4), double.spec.outputs[0].type
(8, 'INT')
"""

from engine.authoring.errors import (
    BadPath,
    DeclarationError,
    Interrupted,
    MissingFile,
    SoundstageError,
)
from engine.authoring.markers import (
    CPU,
    GPU,
    All,
    Choice,
    Each,
    Files,
    FileSet,
    Lazy,
    Mark,
    Mentions,
    Option,
    Prompt,
    Range,
    Seed,
    Slots,
    Steps,
    Text,
    Tooltip,
    Upload,
    Widget,
)
from engine.authoring.node import node
from engine.authoring.protocols import (
    Artifact,
    Blocked,
    Codec,
    Expansion,
    File,
    FolderKind,
    Resident,
    Run,
    Step,
)
from engine.authoring.sockets import Socket

__all__ = [
    "CPU",
    "GPU",
    "All",
    "Artifact",
    "BadPath",
    "Blocked",
    "Choice",
    "Codec",
    "DeclarationError",
    "Each",
    "Expansion",
    "File",
    "FileSet",
    "Files",
    "FolderKind",
    "Interrupted",
    "Lazy",
    "Mark",
    "Mentions",
    "MissingFile",
    "Option",
    "Prompt",
    "Range",
    "Resident",
    "Run",
    "Seed",
    "Slots",
    "Socket",
    "SoundstageError",
    "Step",
    "Steps",
    "Text",
    "Tooltip",
    "Upload",
    "Widget",
    "node",
]
