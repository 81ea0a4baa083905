//! Integer kernels: one portable form of each, and faster twins which give the same bits.
//!
//! Only this module and its children contain `unsafe` code. Every function outside is written
//! against [`Kernels`], a token which exists only for an instruction set that the machine has.
//!
//! | Module         | Purpose                                                               |
//! |----------------|-----------------------------------------------------------------------|
//! | `aligned`      | buffers at cache-line boundaries                                      |
//! | `gemm`         | `i16 x i16 -> i32` products by register tiles over packed panels      |
//! | `pack`         | brings matrices into the panel layout                                 |
//! | `patch`        | brings image patches into the panel layout                            |
//! | `epilogue`     | bias, shift, clamp and table on accumulators and slices               |
//! | `vector`       | element-wise and row operations, compiled once per instruction set    |
//! | `portable`     | tiles and maps without assumptions about the machine                  |
//! | `avx2`         | tiles with AVX2 (`vpmaddwd`)                                          |
//! | `avx512`       | tiles with AVX-512 VNNI (`vpdpwssd`)                                  |
//! | `avx512_map`   | stores and maps with AVX-512                                          |
//! | `avx512_patch` | patches with AVX-512                                                  |

#![expect(
    unsafe_code,
    reason = "vector instructions; each block says why it is sound"
)]

pub(crate) mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_map;
#[cfg(target_arch = "x86_64")]
mod avx512_patch;
pub(crate) mod epilogue;
pub(crate) mod gemm;
pub(crate) mod pack;
pub(crate) mod patch;
mod portable;
#[cfg(test)]
mod tests;
pub(crate) mod vector;

use crate::error::ExecutorError;

/// Instruction set that the kernels use. The results are the same for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// No assumption about the machine.
    Portable,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ, VL and VNNI.
    Avx512,
}

impl Isa {
    /// Says whether this machine can run the instruction set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512bw")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512vl")
                    && std::arch::is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The fastest instruction set of this machine.
    pub fn detect() -> Self {
        [Self::Avx512, Self::Avx2]
            .into_iter()
            .find(|isa| isa.is_available())
            .unwrap_or(Self::Portable)
    }

    /// Short lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// Proof that the machine has an instruction set: the only way to the fast kernels.
///
/// The field is private to this module, and [`Kernels::new`] asks the processor first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernels {
    isa: Isa,
}

impl Kernels {
    /// Checks that the machine has `isa`.
    pub(crate) fn new(isa: Isa) -> Result<Self, ExecutorError> {
        if isa.is_available() {
            Ok(Self { isa })
        } else {
            Err(ExecutorError::IsaUnavailable { isa })
        }
    }

    pub(crate) fn isa(self) -> Isa {
        self.isa
    }
}
