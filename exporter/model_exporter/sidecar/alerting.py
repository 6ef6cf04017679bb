"""How a script raises an alert."""

from collections.abc import Mapping

from model_exporter.sidecar.adopted import Adopted
from model_exporter.sidecar.arguments import number, text
from model_exporter.sidecar.faults import Faults, Stage


class Alerting(Adopted):
    """The part of a monitor that sends alerts."""

    _alertmanager: str

    def send_alert(
        self,
        message: str,
        *,
        name: str = "ModelAlert",
        severity: str = "warning",
        labels: Mapping[str, str] | None = None,
        seconds: float = 3600.0,
        timeout: float = 5.0,
        check: bool = False,
    ) -> bool:
        """Send an alert to Alertmanager, which routes it as it does those of Prometheus.

        Parameters
        ----------
        message
            What happened, for people: the annotation `summary`.
        name, severity, labels
            Its labels, beside those of the model: `alertname`, `severity`, and any others.
        seconds
            How long it stands; the same alert sent again within that time prolongs it.
        timeout
            Seconds to wait for Alertmanager.
        check
            Raise `DeliveryError` if it fails; otherwise that is counted and logged.

        Returns
        -------
        bool
            Whether Alertmanager took it.

        Raises
        ------
        ConfigError
            If a label is refused.
        """
        from model_exporter.sidecar.alert import alert, post  # imports stay light

        settings = self._settings
        model = {"model_name": settings.name, "model_version": settings.version}
        made = alert(
            text("message", message, empty=False),
            name=text("name", name, empty=False),
            labels={**(labels or {}), **model, "severity": text("severity", severity)},
            now_ns=settings.clock.wall_ns(),
            seconds=number("seconds", seconds, least=1),
        )
        try:
            post(self._alertmanager, [made], timeout=timeout)
        except Exception as error:
            if check:
                raise
            pipeline = self._adopted
            faults = pipeline.faults if pipeline else Faults(settings.clock, strict=settings.strict)
            faults.error(Stage.DELIVERY, error)
            return False
        return True
