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
        lanes: int,
        line: int,
    ) -> None:
        self.kernel = kernel
        self.action = action
        self.argument = argument
        self.program = program
        self.offset = offset
        self.lanes = lanes
        self.line = line
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        where = f" (line {self.line})" if self.line else ""
        return (
            f"kernel {self.kernel}{where}: {self.action} out of bounds in program {self.program}: "
            f"{self.lanes} active lane(s); the first is {self.offset} elements from the start of the memory of "
            f"argument '{self.argument}'"
        )

    def at(self, line: int) -> "OutOfBounds":
        """Note the source line and word the sentence again."""
        self.line = line
        self.args = (self._sentence(),)
        return self


class Unsupported(DeviceError):
    """The kernel asks for something that the interpreter cannot do; the sentence names it."""


class KernelAssertion(DeviceError):
    """A device_assert or an assume of the kernel is false for the values it was given."""
