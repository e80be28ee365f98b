"""The errors of the engine, one tree.

SoundstageError
├── DeclarationError      a node function is declared wrongly (raised at import)
├── PromptError           a prompt that cannot run (graph.validate)
├── MissingFile           a named file is not in its folder
├── BadPath               a name that would leave its folder
├── NotSaved              a file that cannot be written
├── Interrupted           the job was cancelled
└── WorkerLost            the worker process went away
"""


class SoundstageError(Exception):
    """Base of every error the engine raises on purpose; its text is fit for a user's eyes."""


class DeclarationError(SoundstageError):
    """A node function is declared wrongly; the text starts with its file and line."""


class MissingFile(SoundstageError):
    """A file that a prompt names is not there."""


class BadPath(SoundstageError):
    """A file name leaves the folder it belongs to."""


class NotSaved(SoundstageError):
    """A file cannot be written: the disk is full, or closed to the service."""


class Interrupted(SoundstageError):
    """The job was cancelled while it ran."""


class WorkerLost(SoundstageError):
    """The worker went away while a job ran on it."""
