"""What a SEV-SNP guest has to measure: from its firmware, kernel and processors, before it runs.

Spec: spec/v1/tee.md, section 7. The result goes into a policy, as `measurement` of one of its sets
of measurements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sevsnpmeasure import guest, vcpu_types, vmm_types

from veridical.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["GUEST_FEATURES", "snp_measurement"]

#: SNP alone: what Linux 6.6 and later start a guest with.
GUEST_FEATURES: Final = 0x1
MAX_VCPUS: Final = 512
_HASH_CHARS: Final = 96
_VMMS: Final = {"qemu": vmm_types.VMMType.QEMU, "ec2": vmm_types.VMMType.ec2}


def snp_measurement(  # noqa: PLR0913 - what the hypervisor is started with, one by one
    firmware: Path,
    *,
    vcpus: int,
    vcpu_type: str,
    kernel: Path | None = None,
    initrd: Path | None = None,
    command_line: str = "",
    guest_features: int = GUEST_FEATURES,
    hypervisor: str = "qemu",
    firmware_hash: str = "",
) -> bytes:
    """Return the launch measurement of a guest, 48 bytes.

    `firmware_hash` stands for the contents of the firmware where only its tables are at hand.

    Raises:
        InputError: a file cannot be read, or something is not known.
    """
    signature = vcpu_types.CPU_SIGS.get(vcpu_type)
    if signature is None:
        known = ", ".join(vcpu_types.CPU_SIGS)
        raise InputError(f"processor {vcpu_type[:40]!r} is not known; known are {known}")
    if hypervisor not in _VMMS:
        raise InputError(f"hypervisor {hypervisor[:40]!r} is none of {', '.join(_VMMS)}")
    if not 1 <= vcpus <= MAX_VCPUS:
        raise InputError(f"{vcpus} processors; 1 to {MAX_VCPUS} can be measured")
    if (initrd is not None or command_line) and kernel is None:
        raise InputError("initrd and command line are measured with a kernel, and there is none")
    if firmware_hash and len(firmware_hash) != _HASH_CHARS:
        raise InputError("a hash of firmware is a SHA-384 in hex", where="firmware hash")
    for path in _present(firmware, kernel, initrd):
        if not path.exists():
            raise InputError("there is no such file", where=str(path))
    try:
        digest = guest.snp_calc_launch_digest(
            vcpus,
            signature,
            str(firmware),
            "" if kernel is None else str(kernel),
            "" if initrd is None else str(initrd),
            command_line,
            guest_features,
            firmware_hash,
            _VMMS[hypervisor],
        )
    # The library reports what it cannot read in firmware by whatever it stumbles over.
    except Exception as error:
        raise InputError(
            f"cannot measure this firmware: {type(error).__name__}: {error}",
            where=str(firmware),
            advice="Give the firmware of SEV-SNP guests (OVMF, AmdSev build).",
        ) from error
    return bytes(digest)


def _present(*paths: Path | None) -> Iterator[Path]:
    return (path for path in paths if path is not None)
