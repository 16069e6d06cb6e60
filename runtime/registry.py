"""What is known by name: data sets, layouts, densities, metrics .. each kind in one table, open to new entries."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Generic, TypeVar

from runtime.errors import InputError, unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """The things of one `kind` by name, in the order in which they were named.

    `places` names them as "module:attribute", which is imported when it is first asked for: a list of names costs no
    import. Others register themselves:

        @LAYOUTS.register("spiral")
        def spiral(config): ..
    """

    def __init__(self, kind: str, places: dict[str, str] | None = None) -> None:
        self.kind = kind
        self._entries: dict[str, T | _Place] = {name: _Place(text) for name, text in (places or {}).items()}

    def register(self, name: str, entry: T | None = None) -> Callable[[T], T]:
        """Give `entry`, or what the decorator stands above, a name. Raises ValueError where the name is taken."""

        def keep(thing: T) -> T:
            if name in self._entries:
                raise ValueError(f"there is a {self.kind} {name!r} already; choose another name, or remove that first.")
            self._entries[name] = thing
            return thing

        if entry is not None:
            keep(entry)
        return keep

    def remove(self, name: str) -> None:
        """Forget a name."""
        del self._entries[name]

    def unknown(self, name: str) -> InputError:
        """The error about a name that is not here: what was probably meant, and all names."""
        return unknown_name(self.kind, name, list(self))

    def __getitem__(self, name: str) -> T:
        """Raises InputError for an unknown name."""
        if name not in self._entries:
            raise self.unknown(name)
        entry = self._entries[name]
        if isinstance(entry, _Place):
            entry = self._entries[name] = entry.imported()
        return entry

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> Iterator[tuple[str, T]]:
        """Names and things, imported as they come."""
        return ((name, self[name]) for name in self)


class _Place(str):
    """Where an entry is defined: "module:attribute"."""

    def imported(self) -> Any:
        module, attribute = self.split(":")
        return getattr(import_module(module), attribute)
