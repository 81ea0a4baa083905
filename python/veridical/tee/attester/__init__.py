"""Where genuine quotes come from: one module for each interface that a machine may offer.

Spec: spec/v1/tee.md, section 10. `detect` returns the attester of the machine it runs on. Each one
checks that the quote it got holds the value that was asked for, before anybody else sees it; none
judges the quote, for that is the verifier's part.

| Module      | Purpose                                                          |
|-------------|------------------------------------------------------------------|
| `answers`   | what all interfaces have in common: errors, and the check of a quote |
| `configfs`  | Linux, `/sys/kernel/config/tsm/report`: TDX and SEV-SNP           |
| `nsm`       | AWS Nitro Enclaves, `/dev/nsm`                                    |
| `dstack`    | the guest agent of dstack, behind a socket: TDX with its event log |
| `detection` | which of them a machine has                                       |
"""

from __future__ import annotations

from veridical.tee.attester.configfs import ConfigfsTsm
from veridical.tee.attester.detection import detect
from veridical.tee.attester.dstack import DstackAgent
from veridical.tee.attester.nsm import NitroModule

__all__ = ["ConfigfsTsm", "DstackAgent", "NitroModule", "detect"]
