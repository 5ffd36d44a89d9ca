"""What Prometheus reads: requests, batches, queues, versions, episodes."""

from __future__ import annotations

import functools
from collections.abc import Callable

import prometheus_client as prometheus

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The server's own registry."""

    content_type = _CONTENT_TYPE

    def __init__(self) -> None:
        self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self._registry)
        self._requests = self._made(
            prometheus.Counter, "requests", "Requests answered", "model protocol method code"
        )
        self._latency = self._made(
            prometheus.Histogram,
            "request_seconds",
            "From a request's last byte to its answer",
            "model protocol method",
            buckets=_SECONDS,
        )
        self._batch_rows = self._made(
            prometheus.Histogram, "batch_rows", "Rows of a call", "model", buckets=_ROWS
        )
        self._batch_seconds = self._made(
            prometheus.Histogram, "batch_seconds", "Time of a call", "model", buckets=_SECONDS
        )
        self._queue = self._made(prometheus.Gauge, "queue_rows", "Rows that wait", "model")
        self._version = self._made(prometheus.Gauge, "model_version", "Newest version", "model")
        self._episodes = self._made(prometheus.Gauge, "episodes", "Episodes that go on", "model")
        self._reloads = self._made(
            prometheus.Counter, "reloads", "Versions taken, or not", "model outcome"
        )
        # Finding a metric by its labels takes longer than counting with it.
        self._counter = functools.lru_cache(4096)(self._requests.labels)
        self._histogram = functools.lru_cache(4096)(self._latency.labels)

    def answered(self, model: str, protocol: str, method: str, code: str, seconds: float) -> None:
        """A request has been answered."""
        self._counter(model, protocol, method, code).inc()
        self._histogram(model, protocol, method).observe(seconds)

    def on_batch(self, model: str) -> Callable[[int, float], None]:
        """Told of the rows and seconds of each of a model's calls."""
        rows, seconds = self._batch_rows.labels(model), self._batch_seconds.labels(model)

        def notice(count: int, took: float) -> None:
            rows.observe(count)
            seconds.observe(took)

        return notice

    def on_version(self, model: str) -> Callable[[int], None]:
        """Told of each new version, and of 0 where one could not be loaded."""

        def notice(number: int) -> None:
            self._reloads.labels(model, "loaded" if number else "failed").inc()
            if number:
                self._version.labels(model).set(number)

        return notice

    def watch(self, model: str, queue: Callable[[], float], episodes: Callable[[], float]) -> None:
        """Reads these whenever it is asked."""
        self._queue.labels(model).set_function(queue)
        self._episodes.labels(model).set_function(episodes)

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return prometheus.generate_latest(self._registry)

    def _made(self, kind, name: str, help_text: str, labels: str, **options):
        return kind(
            f"lookahead_{name}", help_text, labels.split(), registry=self._registry, **options
        )
