"""The API: what the collector says of itself, and what it kept."""

from glasshouse_collector.api.app import create_app
from glasshouse_collector.api.config import ApiConfig
from glasshouse_collector.api.ingest.once import IngestOnce
from glasshouse_collector.api.server import ApiServer

__all__ = ["ApiConfig", "ApiServer", "IngestOnce", "create_app"]
