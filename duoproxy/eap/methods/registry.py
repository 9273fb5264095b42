"""Which methods are offered, and which of them a peer that refuses the first gets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from duoproxy.eap.methods.method import Method

MakeMethod = Callable[[], Method]


class MethodRegistry:
    """The methods on offer, the preferred one first; made once and shared by all conversations."""

    def __init__(self, methods: Mapping[int, MakeMethod]) -> None:
        """Take them.

        Args:
            methods: what makes one run of a method, by the method's type.

        Raises:
            ValueError: there is none.
        """
        if not methods:
            raise ValueError("an EAP server needs a method")
        self._methods = MappingProxyType(dict(methods))

    @property
    def preferred(self) -> int:
        """The type that is proposed first."""
        return next(iter(self._methods))

    def choose(self, wanted: Collection[int], proposed: Collection[int]) -> int | None:
        """Give the first type that a Nak wants and that was not proposed yet, or None. Source: RFC 3748 §5.3.1."""
        return next((each for each in wanted if each in self._methods and each not in proposed), None)

    def make(self, method_type: int) -> Method:
        """Begin one run of a method."""
        return self._methods[method_type]()
