"""What a batch job does instead of being scraped: it ends before anyone asks."""

import os
from collections.abc import Callable, Mapping

from model_exporter.sidecar.adopted import Adopted
from model_exporter.sidecar.faults import Stage


class BatchJob(Adopted):
    """The part of a monitor that hands its metrics over."""

    def push(
        self,
        gateway: str,
        *,
        job: str | None = None,
        grouping_key: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        check: bool = False,
    ) -> bool:
        """Hand the registry over to a Pushgateway, at the end of a batch job.

        Parameters
        ----------
        gateway
            Its address, such as ``"http://pushgateway:9091"``; ``https://user:password@...``, too.
        job
            The label `job`; by default the name of the model.
        grouping_key
            Further labels of the group, all of whose metrics are replaced (PUT).
        timeout
            Seconds to wait for the Pushgateway.
        check
            Raise `ConfigError` or `DeliveryError` if it fails. Otherwise a failure is counted and
            logged, and predictions that took hours are not lost for it.

        Returns
        -------
        bool
            Whether the Pushgateway took them.
        """
        from model_exporter.sidecar import deliver  # imports stay light

        job = self._pipeline.settings.name if job is None else job
        group = grouping_key or {}
        return self._delivered(
            lambda: deliver.push(
                self.registry, gateway, job=job, grouping_key=group, timeout=timeout
            ),
            check=check,
        )

    def push_otlp(
        self,
        endpoint: str,
        *,
        job: str | None = None,
        instance: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        check: bool = False,
    ) -> bool:
        """Hand the registry over by OpenTelemetry's protocol; needs ``model-exporter[otlp]``.

        Parameters
        ----------
        endpoint
            The whole address: ``"http://prometheus:9090/api/v1/otlp/v1/metrics"`` of Prometheus,
            ``"http://collector:4318/v1/metrics"`` of a collector.
        job, instance
            The resource's `service.name` and `service.instance.id`, which Prometheus makes the
            labels `job` and `instance`; by default the name of the model, and none.
        headers
            To send along, such as ``{"Authorization": "Bearer ..."}``.
        timeout
            Seconds for all attempts.
        check
            Raise `ConfigError` or `DeliveryError` if it fails; otherwise that is counted and
            logged.

        Returns
        -------
        bool
            Whether the receiver took them.
        """
        from model_exporter.sidecar import otlp

        settings = self._pipeline.settings
        resource = {"service.name": settings.name if job is None else job}
        if instance:
            resource["service.instance.id"] = instance
        return self._delivered(
            lambda: otlp.push(
                self.registry,
                endpoint,
                resource=resource,
                headers=headers or {},
                timeout=timeout,
                now_ns=settings.clock.wall_ns(),
            ),
            check=check,
        )

    def write_textfile(self, path: str | os.PathLike[str], *, check: bool = False) -> bool:
        """Write the registry to a file for node_exporter's textfile collector, atomically.

        Parameters
        ----------
        path
            Must end in ``.prom`` for node_exporter to read it; its directory must exist.
        check
            Raise `DeliveryError` if it fails; otherwise that is counted and logged.

        Returns
        -------
        bool
            Whether the file was written.
        """
        from model_exporter.sidecar import deliver

        return self._delivered(lambda: deliver.write_textfile(self.registry, path), check=check)

    def _delivered(self, deliver: Callable[[], None], *, check: bool) -> bool:
        try:
            deliver()
        except Exception as error:
            if check:
                raise
            self._pipeline.faults.error(Stage.DELIVERY, error)
            return False
        return True
