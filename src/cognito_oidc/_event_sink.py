"""Where a verifier's events go: to the caller's hook and to the log.

Decides who hears of an event. Decides nothing about which events there are; they are made only where somebody listens,
and neither they nor `logging` are imported before.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from cognito_oidc.protocol.events import VerifierEvent

_DEBUG: Final = 10  # logging.DEBUG


class EventSink:
    """The caller's hook, and the logger `cognito_oidc` at DEBUG."""

    __slots__ = ("_logger", "_on_event")

    def __init__(self, on_event: Callable[[VerifierEvent], None] | None) -> None:
        """Keep the hook."""
        self._on_event = on_event
        self._logger: logging.Logger | None = None

    def listens(self) -> bool:
        """Tell whether anybody would hear an event: a flood of forged tokens must stay cheap."""
        if self._on_event is not None:
            return True
        logger = self._logger or self._find_logger()
        return logger is not None and logger.isEnabledFor(_DEBUG)

    def tell(self, event: VerifierEvent) -> None:
        """Tell who listens. An error of the hook is logged and dropped: a listener must not decide about tokens."""
        logger = self._logger or self._find_logger()
        if logger is not None:
            logger.debug("%s", event)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception as error:  # noqa: BLE001 - whatever a hook raises
                if logger is not None:
                    logger.debug("on_event raised %s; it was dropped", type(error).__name__)

    def _find_logger(self) -> logging.Logger | None:
        """Return our logger. While nobody has imported logging (5 ms), nobody can have asked for DEBUG."""
        logging = sys.modules.get("logging")
        if logging is not None:
            self._logger = logging.getLogger("cognito_oidc")
        return self._logger
