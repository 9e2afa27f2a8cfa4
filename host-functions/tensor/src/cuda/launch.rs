//! Launching the kernels of `kernels.cu`.

use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg, sys::CUdeviceptr};

use super::Card;
use crate::{device::DeviceError, kernel::Window, program::Space};

/// Threads of a block.
const THREADS: u32 = 256;

/// The address of a buffer on the card. It stays valid as long as the buffer lives.
pub(super) fn address<T>(buffer: &CudaSlice<T>, stream: &CudaStream) -> CUdeviceptr {
    buffer.device_ptr(stream).0
}

/// An argument of a kernel: an address or a number of a fixed width.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful that live for one launch")]
pub(super) enum Arg {
    /// An address, a `u64` or an `i64`.
    Wide(u64),
    /// A `u32` or an `i32`.
    Narrow(u32),
    /// The index space of a strided kernel.
    Strides(Strides),
    /// How a window moves.
    Window(Taps),
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

/// Where the elements of a result come from in up to three operands; as in `kernels.cu`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Strides {
    rank: u32,
    dims: [u32; 8],
    a: [u64; 8],
    b: [u64; 8],
    c: [u64; 8],
}

// SAFETY: plain numbers, laid out as C does.
unsafe impl DeviceRepr for Strides {}

impl Strides {
    pub(super) fn of(space: &Space) -> Result<Strides, DeviceError> {
        let operands: Vec<&[usize]> = space.strides.iter().map(Vec::as_slice).collect();
        Strides::new(&space.dims, &operands)
    }

    pub(super) fn new(dims: &[usize], operands: &[&[usize]]) -> Result<Strides, DeviceError> {
        let mut strides = Strides { rank: small(dims.len())?, ..Strides::default() };
        if dims.len() > strides.dims.len() {
            return Err(DeviceError::Unsupported(format!("rank {}", dims.len())));
        }
        for (axis, dim) in dims.iter().enumerate() {
            strides.dims[axis] = small(*dim)?;
            let places = [&mut strides.a, &mut strides.b, &mut strides.c];
            for (places, steps) in places.into_iter().zip(operands) {
                places[axis] = long(steps.get(axis).copied().unwrap_or(0))?;
            }
        }
        Ok(strides)
    }
}

/// How a window moves over an image; as `Window` in `kernels.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Taps {
    input: [u32; 2],
    output: [u32; 2],
    kernel: [u32; 2],
    strides: [u32; 2],
    pads: [u32; 2],
    dilations: [u32; 2],
}

// SAFETY: plain numbers, laid out as C does.
unsafe impl DeviceRepr for Taps {}

impl Taps {
    pub(super) fn of(window: &Window) -> Result<Taps, DeviceError> {
        if window.transposed {
            return Err(DeviceError::Unsupported("a transposed window".to_owned()));
        }
        let both = |[rows, columns]: [usize; 2]| Ok::<_, DeviceError>([small(rows)?, small(columns)?]);
        Ok(Taps {
            input: both(window.input)?,
            output: both(window.output)?,
            kernel: both(window.kernel)?,
            strides: both(window.strides)?,
            pads: both(window.pads)?,
            dilations: both(window.dilations)?,
        })
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

    /// Launches a kernel with a block for each of `rows` rows of `row` elements.
    ///
    /// # Safety
    /// As of [`Card::over`].
    pub(super) unsafe fn rows(
        &self,
        kernel: &str,
        (rows, row): (usize, usize),
        args: &[Arg],
    ) -> Result<(), DeviceError> {
        let blocks = rows.clamp(1, 1 << 20);
        let threads = row.div_ceil(32).saturating_mul(32).clamp(32, 256);
        // SAFETY: as of this function.
        unsafe { self.launch(kernel, (small(blocks)?, 1, 1), (small(threads)?, 1, 1), args) }
    }

    /// Launches a kernel over `rows` by `columns`.
    ///
    /// # Safety
    /// As of [`Card::over`].
    pub(super) unsafe fn grid(
        &self,
        kernel: &str,
        (rows, columns): (usize, usize),
        args: &[Arg],
    ) -> Result<(), DeviceError> {
        let wide = small(columns.min(256))?.next_power_of_two();
        let high = THREADS / wide;
        let blocks_wide = small(columns)?.div_ceil(wide).max(1);
        let most = (2 * self.blocks).div_ceil(blocks_wide).min(65_535);
        let blocks_high = u32::try_from(rows.div_ceil(256 / usize::try_from(wide).unwrap_or(1))).unwrap_or(u32::MAX);
        let grid = (blocks_wide, blocks_high.clamp(1, most.max(1)), 1);
        // SAFETY: as of this function.
        unsafe { self.launch(kernel, grid, (wide, high, 1), args) }
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
                Arg::Window(value) => builder.arg(value),
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
