"""The exceptions that model-exporter raises.

::

    ModelExporterError
    ├── ConfigError      the configuration is refused: file, key, remedy
    ├── BaselineError    a baseline file is damaged, of another schema, or unlike
    ├── SchemaError      a table lacks a column or a column holds another type
    ├── SourceError      a source could not be read this time
    │   └── UnreachableError   its server did not answer, or refused: it may heal by itself
    ├── StateError       the job's state directory cannot be used
    │   └── DamagedStateError   a file in it is no database any more
    └── DeliveryError    metrics could not be handed over: Pushgateway, textfile

Every message says what was given, what was expected, where, and what to do. The command line
prints it in one line and exits with status 2.
"""


class ModelExporterError(Exception):
    """Base of every error that model-exporter raises on purpose."""


class ConfigError(ModelExporterError):
    """The configuration was refused."""


class BaselineError(ModelExporterError):
    """A baseline file is damaged, of an unknown schema version, or unlike another."""


class SchemaError(ModelExporterError):
    """A table lacks a column, or a column holds values of another type."""


class SourceError(ModelExporterError):
    """A source of predictions or labels could not be read."""


class UnreachableError(SourceError):
    """The server of a source did not answer as it should; the configuration may be right."""


class StateError(ModelExporterError):
    """The state directory is in use, unwritable or from another version."""


class DamagedStateError(StateError):
    """A file in the state directory is no database any more."""


class DeliveryError(ModelExporterError):
    """Metrics could not be handed over to a Pushgateway or a file."""
