"""What the device room can say went wrong, apart from what Triton itself raises."""


class DeviceError(Exception):
    """The base of everything that the simulated device raises on its own account."""


class OutOfBounds(DeviceError):
    """An active lane touched memory that no launch argument owns; nothing was read or written."""

    def __init__(
        self,
        *,
        kernel: str,
        action: str,
        argument: str,
        program: tuple[int, int, int],
        offset: int,
        holds: int,
        lanes: int,
        line: int,
    ) -> None:
        self.kernel = kernel
        self.action = action
        self.argument = argument
        self.program = program
        self.offset = offset
        self.holds = holds
        self.lanes = lanes
        self.line = line
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        where = f" (line {self.line})" if self.line else ""
        lanes = "1 active lane" if self.lanes == 1 else f"{self.lanes} active lanes, the first"
        return (
            f"kernel {self.kernel}{where}: {self.action} out of bounds in program {self.program}: "
            f"{lanes} at element {self.offset} of argument '{self.argument}', whose memory holds {self.holds}"
        )

    def at(self, line: int) -> "OutOfBounds":
        """Note the source line and word the sentence again."""
        self.line = line
        self.args = (self._sentence(),)
        return self


class Unsupported(DeviceError):
    """The kernel asks for something that the interpreter cannot do; the sentence names it."""


def beyond(what: str, more: str = "") -> Unsupported:
    """That something exists on devices alone; the sentence is the same whatever it is."""
    return Unsupported(f"{what} cannot be run here; needs a GPU{more and f': {more}'}")


class KernelAssertion(DeviceError):
    """A device_assert or an assume of the kernel is false for the values it was given."""


class HostMemory(DeviceError, ValueError):
    """A launch was given a tensor that lies in the host's memory: a ValueError, as Triton's own launcher has it."""
