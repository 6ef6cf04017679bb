"""What a monitor goes around: functions, estimators, blocks of code."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from model_exporter.errors import ConfigError
from model_exporter.sidecar.adopted import Adopted
from model_exporter.sidecar.arguments import number
from model_exporter.sidecar.capture import Hook, Hooks, checked_hooks
from model_exporter.sidecar.wrap import Steps, wrap

if TYPE_CHECKING:
    from model_exporter.sidecar.track import TrackedCall

F = TypeVar("F")


class Predicting(Adopted):
    """The part of a monitor that measures predictions."""

    _event_time: Hook | None
    _tracking: dict[bool, Steps]

    @overload
    def __call__(self, function: F) -> F: ...

    @overload
    def __call__(
        self,
        *,
        batch: bool = ...,
        output: Callable[[Any], Any] | None = ...,
        prediction_id: Callable[..., Any] | None = ...,
        features: Callable[..., Any] | None = ...,
    ) -> Callable[[F], F]: ...

    def __call__(
        self,
        function: Any = None,
        *,
        batch: bool = False,
        output: Callable[[Any], Any] | None = None,
        prediction_id: Callable[..., Any] | None = None,
        features: Callable[..., Any] | None = None,
    ) -> Any:
        """Monitor a function; also as a decorator with or without arguments.

        Parameters
        ----------
        function
            A function, method, static or class method, callable object; also ``async def``, a
            generator or an async generator. What a function returns that is awaitable, or an
            iterator, is followed to its end.
        batch
            Whether a call predicts many rows: takes a list of rows, a dict of columns, a 2-d
            array or a DataFrame, and returns a list, an array, a Series or a dict of columns.
        output
            Maps what the function returned to predictions. Of one row: a class; a probability,
            if binary, as a float between 0 and 1, both excluded (exact 0.0 and 1.0 are classes,
            unless the monitor has a threshold);
            a number, if regression; a tuple of class and score; or a dict with any of
            ``"prediction"``, ``"score"`` and ``"scores"`` (a dict by class). Of a stream it gets
            the last chunk; without it, chunks are counted and not read.
        prediction_id
            Maps the arguments of the call to the caller's id: it is called with exactly those
            arguments, without `self` or `cls`; a batch's gives a list of ids. Without it, or
            where it gives None, it is the id of the request (`sidecar.ids.request_id`), with the
            row's number in a batch, else a UUIDv7. Ids are only taken when there is a log.
        features
            Maps the arguments, likewise, to the features: a dict by name, or a list, tuple or
            array in the order of the baseline. By default the first argument is the features.

        Returns
        -------
        callable
            The function, monitored; its signature, results and exceptions are the same.
        """
        hooks = self._hooks(features=features, output=output, prediction_id=prediction_id)
        if function is None:
            return lambda f: wrap(self._pipeline, f, batch=batch, hooks=hooks)
        return wrap(self._pipeline, function, batch=batch, hooks=hooks)

    def wrap(
        self,
        estimator: F,
        *,
        output: Callable[[Any], Any] | None = None,
        prediction_id: Callable[..., Any] | None = None,
        features: Callable[..., Any] | None = None,
    ) -> F:
        """Monitor an estimator in the style of scikit-learn; the hooks are those of a batch.

        Parameters
        ----------
        estimator
            Fitted or not. `predict`, `predict_proba` and `decision_function` are monitored, each
            call as a batch; all else passes through.

        Returns
        -------
        estimator
            Looks like the estimator: attributes, `isinstance`, parameters. Copies and clones are
            monitored; what is unpickled is where a monitor of this name and version lives.
        """
        from model_exporter.sidecar.estimator import PREDICTING, monitored  # imports stay light

        if not any(callable(getattr(estimator, name, None)) for name in PREDICTING):
            raise ConfigError(
                f"cannot wrap {type(estimator).__name__}: it has none of {', '.join(PREDICTING)}; "
                "monitor a function with `@monitor`"
            )
        hooks = self._hooks(features=features, output=output, prediction_id=prediction_id)
        return cast(F, monitored(self._pipeline, estimator, hooks))

    def track(self, *, rows: int | None = None) -> "TrackedCall":
        """Monitor the body of a `with` or `async with` as one call.

        Parameters
        ----------
        rows
            How many rows the call predicts; None for one row that is no batch.
        """
        from model_exporter.sidecar.track import TrackedCall, tracking_steps

        batch = rows is not None
        rows = int(number("rows", rows, least=0)) if batch else None
        if batch not in self._tracking:
            self._tracking[batch] = tracking_steps(self._pipeline, self._hooks(), batch=batch)
        return TrackedCall(self._tracking[batch], rows)

    def _hooks(self, **hooks: Hook | None) -> Hooks:
        return checked_hooks(**hooks, event_time=self._event_time)
