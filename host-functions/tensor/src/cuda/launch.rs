//! Launching the kernels of `kernels.cu`.

use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg, sys::CUdeviceptr};

use super::Card;
use crate::device::DeviceError;

/// Threads of a block.
const THREADS: u32 = 256;

/// The address of a buffer on the card. It stays valid as long as the buffer lives.
pub(super) fn address<T>(buffer: &CudaSlice<T>, stream: &CudaStream) -> CUdeviceptr {
    buffer.device_ptr(stream).0
}

/// An argument of a kernel: an address or a number of a fixed width.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    /// An address, a `u64` or an `i64`.
    Wide(u64),
    /// A `u32` or an `i32`.
    Narrow(u32),
    /// The index space of a strided kernel.
    Strides(Strides),
}

impl From<u64> for Arg {
    fn from(value: u64) -> Arg {
        Arg::Wide(value)
    }
}

impl From<i64> for Arg {
    fn from(value: i64) -> Arg {
        Arg::Wide(value.cast_unsigned())
    }
}

impl From<u32> for Arg {
    fn from(value: u32) -> Arg {
        Arg::Narrow(value)
    }
}

impl From<i32> for Arg {
    fn from(value: i32) -> Arg {
        Arg::Narrow(value.cast_unsigned())
    }
}

/// Where the elements of a result come from in two operands; as in `kernels.cu`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Strides {
    rank: u32,
    dims: [u32; 8],
    a: [u64; 8],
    b: [u64; 8],
}

// SAFETY: plain numbers, laid out as C does.
unsafe impl DeviceRepr for Strides {}

impl Strides {
    pub(super) fn new(dims: &[usize], a: &[usize], b: &[usize]) -> Result<Strides, DeviceError> {
        let mut strides = Strides { rank: small(dims.len())?, ..Strides::default() };
        if dims.len() > strides.dims.len() {
            return Err(DeviceError::Unsupported(format!("rank {}", dims.len())));
        }
        for (axis, dim) in dims.iter().enumerate() {
            strides.dims[axis] = small(*dim)?;
            strides.a[axis] = long(a.get(axis).copied().unwrap_or(0))?;
            strides.b[axis] = long(b.get(axis).copied().unwrap_or(0))?;
        }
        Ok(strides)
    }
}

/// A length that kernels take as 32 bits.
pub(super) fn small(value: usize) -> Result<u32, DeviceError> {
    u32::try_from(value).map_err(|_| DeviceError::Unsupported(format!("a length of {value}")))
}

/// A length that kernels take as 64 bits.
pub(super) fn long(value: usize) -> Result<u64, DeviceError> {
    u64::try_from(value).map_err(|_| DeviceError::Unsupported(format!("a length of {value}")))
}

impl Card {
    /// Launches a kernel over `n` elements.
    ///
    /// # Safety
    /// The arguments must be those of the kernel, and its addresses must have what it reads and writes.
    pub(super) unsafe fn over(&self, kernel: &str, n: usize, args: &[Arg]) -> Result<(), DeviceError> {
        let blocks = n.div_ceil(256).clamp(1, usize::try_from(self.blocks).unwrap_or(1));
        // SAFETY: as of this function.
        unsafe { self.launch(kernel, (small(blocks)?, 1, 1), (THREADS, 1, 1), args) }
    }

    /// Launches a kernel with a block for each of `n` rows.
    ///
    /// # Safety
    /// As of [`Card::over`].
    pub(super) unsafe fn rows(&self, kernel: &str, n: usize, args: &[Arg]) -> Result<(), DeviceError> {
        let blocks = n.clamp(1, 1 << 20);
        // SAFETY: as of this function.
        unsafe { self.launch(kernel, (small(blocks)?, 1, 1), (THREADS, 1, 1), args) }
    }

    /// Launches a kernel.
    ///
    /// # Safety
    /// As of [`Card::over`].
    pub(super) unsafe fn launch(
        &self,
        kernel: &str,
        grid_dim: (u32, u32, u32),
        block_dim: (u32, u32, u32),
        args: &[Arg],
    ) -> Result<(), DeviceError> {
        let function = self.function(kernel)?;
        let mut builder = self.stream.launch_builder(&function);
        for arg in args {
            match arg {
                Arg::Wide(value) => builder.arg(value),
                Arg::Narrow(value) => builder.arg(value),
                Arg::Strides(value) => builder.arg(value),
            };
        }
        let config = LaunchConfig { grid_dim, block_dim, shared_mem_bytes: 0 };
        // SAFETY: as of this function.
        unsafe { builder.launch(config)? };
        Ok(())
    }

    fn function(&self, name: &str) -> Result<cudarc::driver::CudaFunction, DeviceError> {
        Ok(self.module.load_function(name)?)
    }
}
