"""The processors that are tried: how to compile for each, what runs the program, and the packages that bring both."""

import shutil
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
STANDALONE = HERE.parent / "standalone-c"
FMAF = STANDALONE / "fmaf.c"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One processor.

    Attributes:
        name: what the table calls it.
        compiler: prefix of its binutils and of its gcc.
        emulator: what runs a program, before the program's own words.
        packages: Debian's packages with the compiler, its C library and the emulator.
        stack_pointer: a regular expression for it in qemu's trace.
        flags: of the compiler, for the processor.
        board: the machine of qemu-system-arm, where there is no operating system.
        library: C sources that are compiled beside model.c: what the C library does not do right.
    """

    name: str
    compiler: str
    emulator: str
    packages: tuple[str, ...]
    stack_pointer: str
    flags: tuple[str, ...] = ()
    board: str = ""
    library: tuple[Path, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that this system lacks."""
        found = all(shutil.which(tool) for tool in (f"{self.compiler}-gcc", f"{self.compiler}-size", self.emulator))
        return () if found else self.packages

    @property
    def link_words(self) -> tuple[str, ...]:
        """What links a whole program."""
        if not self.board:
            return ("-static",)
        return (str(HERE / "cortex_m.c"), "--specs=rdimon.specs", "-T", str(HERE / "mps2.ld"))

    def command(self, program: Path, *words: str, trace: Path | None = None) -> list[str]:
        """Return the command that runs a program on the processor.

        Args:
            program: the program.
            words: its arguments.
            trace: a file for every instruction with the registers before it.
        """
        tracing = ["-singlestep", "-d", "exec,cpu,nochain", "-D", str(trace)] if trace is not None else []
        if not self.board:
            return [self.emulator, *tracing, str(program), *words]
        semihosting = ",".join(
            ["enable=on,target=native", *(f"arg={_doubled(word)}" for word in (program.name, *words))]
        )
        machine = ["-M", self.board, "-display", "none", "-monitor", "none", "-serial", "none"]
        return [self.emulator, *machine, *tracing, "-semihosting-config", semihosting, "-kernel", str(program)]


def _doubled(word: str) -> str:
    """Return a value of qemu's options, in which a comma is written twice."""
    return word.replace(",", ",,")


def _linux(name: str, triple: str, emulator: str, library: str, stack_pointer: str, *flags: str) -> Target:
    packages = (f"gcc-{triple.replace('_', '-')}", f"libc6-dev-{library}-cross", "qemu-user")
    return Target(
        name=name, compiler=triple, emulator=emulator, packages=packages, stack_pointer=stack_pointer, flags=flags
    )


def _cortex_m(name: str, board: str, *flags: str, library: tuple[Path, ...] = ()) -> Target:
    return Target(
        name=name,
        compiler="arm-none-eabi",
        emulator="qemu-system-arm",
        packages=("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "qemu-system-arm"),
        stack_pointer=r"R13=([0-9a-f]+)",
        flags=("-mthumb", *flags),
        board=board,
        library=library,
    )


TARGETS = (
    _linux("aarch64", "aarch64-linux-gnu", "qemu-aarch64", "arm64", r" SP=([0-9a-f]+)"),
    _linux("armhf", "arm-linux-gnueabihf", "qemu-arm", "armhf", r"R13=([0-9a-f]+)"),
    _linux("riscv64", "riscv64-linux-gnu", "qemu-riscv64", "riscv64", r"x2/sp +([0-9a-f]+)"),
    _linux("ppc64le", "powerpc64le-linux-gnu", "qemu-ppc64le", "ppc64el", r"GPR00 [0-9a-f]+ ([0-9a-f]+)"),
    # Otherwise gcc computes float expressions in double there, as FLT_EVAL_METHOD 1 says.
    _linux(
        "s390x, big-endian", "s390x-linux-gnu", "qemu-s390x", "s390x", r"R15=([0-9a-f]+)", "-fexcess-precision=fast"
    ),
    _cortex_m("Cortex-M3, soft float", "mps2-an385", "-mcpu=cortex-m3", "-mfloat-abi=soft", library=(FMAF,)),
    _cortex_m("Cortex-M4, soft float", "mps2-an386", "-mcpu=cortex-m4", "-mfloat-abi=soft", library=(FMAF,)),
    _cortex_m("Cortex-M4F, hard float", "mps2-an386", "-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
)
