//! The exact formulas on NVIDIA devices.
//!
//! ```text
//!   Cuda          context, stream, kernels compiled for the card (kernels.cu, at run time)
//!     |  load     parameters packed and kept on the card
//!     v
//!   LoadedProgram one piece of memory for all values, launches recorded as a CUDA graph (recorder)
//!     |
//!     |           what each instruction needs and how it is launched (steps)
//!     +-- attention  two products, with the exponentials between them as planes of 8 bits
//!     +-- linear  operands as planes of 8 bits, products of a unit, planes joined
//!     +-- gemm    cuBLASLt: int8 tensor cores, or bf16 or f64 with exact sums
//! ```
//!
//! CUDA is loaded when the first device is opened, so one program serves machines with and without a
//! card. Every launch is on one stream; results do not depend on it.
#![allow(unsafe_code, reason = "kernel launches and calls of the CUDA libraries")]

mod attention;
mod gemm;
mod launch;
mod linear;
mod loaded;
mod recorder;
mod steps;

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock},
};

use cudarc::{
    driver::{CudaContext, CudaModule, CudaSlice, CudaStream, DriverError, sys},
    nvrtc::{CompileOptions, compile_ptx_with_opts},
};

pub use gemm::ProductUnit;
pub use loaded::LoadedProgram;

use self::gemm::Gemm;
use crate::{
    device::{Device, DeviceError, Loaded},
    kernel::exp_tables,
    program::Program,
};

/// The source of the kernels.
const SOURCE: &str = include_str!("cuda/kernels.cu");

/// How a card is used. Nothing here can change a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which unit multiplies.
    pub unit: ProductUnit,
    /// Whether products are checked by Freivalds' method on the card.
    pub check_products: bool,
    /// Whether launches are recorded and replayed as a graph.
    pub graphs: bool,
    /// For tests: the first byte of every product is made wrong before it is checked.
    pub inject_fault: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { unit: ProductUnit::Int8, check_products: true, graphs: true, inject_fault: false }
    }
}

/// An NVIDIA device of compute capability 8.0 or above.
///
/// ```no_run
/// use noema_tensor::{Kernels, Level, cuda::{Cuda, Options}, device::Settings};
///
/// let cuda = Cuda::open(0, Options::default())?;
/// let kernels = Kernels::new(Level::best(), 1)?.with_device(Box::new(cuda), Settings::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Cuda(Arc<Card>);

/// What all programs on a card share.
struct Card {
    name: String,
    options: Options,
    stream: Arc<CudaStream>,
    module: Arc<CudaModule>,
    gemm: Mutex<Gemm>,
    /// The tables of the exponential function.
    exp_tables: CudaSlice<u64>,
    /// Blocks that fill the card.
    blocks: u32,
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cuda").field("name", &self.0.name).field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Cuda {
    /// Opens the device with this number.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] where there is no such device, no driver, or no CUDA libraries;
    /// [`DeviceError::Unsupported`] for a device that is too old.
    pub fn open(ordinal: usize, options: Options) -> Result<Cuda, DeviceError> {
        if !libraries_present() {
            return Err(DeviceError::Lost("the CUDA driver or one of its libraries is not installed".to_owned()));
        }
        let context = CudaContext::new(ordinal)?;
        let (major, minor) = context.compute_capability()?;
        if major < 8 {
            let reason = format!("compute capability {major}.{minor}, 8.0 is needed");
            return Err(DeviceError::Unsupported(reason));
        }
        // SAFETY: everything here runs on one stream, so no buffer needs events to order its uses.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream()?;
        let module = context.load_module(compile(&format!("compute_{major}{minor}"))?)?;
        let processors = context.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let card = Card {
            name: context.name()?,
            options,
            gemm: Mutex::new(Gemm::new(&stream, options.unit, major)?),
            exp_tables: stream.clone_htod(&exp_tables())?,
            blocks: u32::try_from(processors).unwrap_or(1) * 8,
            stream,
            module,
        };
        Ok(Cuda(Arc::new(card)))
    }

    /// The first device with the usual options, opened once in a process.
    ///
    /// # Errors
    /// As [`Cuda::open`].
    pub fn shared() -> Result<Cuda, DeviceError> {
        static FIRST: OnceLock<Result<Cuda, DeviceError>> = OnceLock::new();
        FIRST.get_or_init(|| Cuda::open(0, Options::default())).clone()
    }

    /// Loads a program, keeping the type: for benches, which time the work on the card alone.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn load_program(&self, program: &Program<'_>) -> Result<LoadedProgram, DeviceError> {
        LoadedProgram::new(Arc::clone(&self.0), program)
    }
}

impl Device for Cuda {
    fn name(&self) -> String {
        self.0.name.clone()
    }

    fn load(&self, program: &Program<'_>) -> Result<Box<dyn Loaded>, DeviceError> {
        Ok(Box::new(self.load_program(program)?))
    }
}

/// Whether this machine has a device that can be opened; found out once.
#[must_use]
pub fn is_available() -> bool {
    Cuda::shared().is_ok()
}

/// Compiles the kernels for an architecture; needs NVRTC, but no device.
///
/// # Errors
/// [`DeviceError::Lost`] without NVRTC, [`DeviceError::Unsupported`] with the compiler's log.
fn compile(architecture: &str) -> Result<cudarc::nvrtc::Ptx, DeviceError> {
    let options = CompileOptions {
        name: Some("noema.cu".to_owned()),
        options: vec![
            format!("--gpu-architecture={architecture}"),
            "--std=c++17".to_owned(),
            "--device-int128".to_owned(),
        ],
        ..CompileOptions::default()
    };
    compile_ptx_with_opts(SOURCE, options)
        .map_err(|error| DeviceError::Unsupported(format!("the kernels do not compile: {error:?}")))
}

/// Whether the libraries can be loaded: asking them for anything would panic otherwise.
fn libraries_present() -> bool {
    // SAFETY: the libraries of CUDA run no code of their own that could conflict when loaded.
    unsafe {
        cudarc::driver::sys::is_culib_present()
            && cudarc::nvrtc::sys::is_culib_present()
            && cudarc::cublaslt::sys::is_culib_present()
    }
}

impl From<DriverError> for DeviceError {
    fn from(error: DriverError) -> DeviceError {
        let text = format!("{error:?}");
        match error.0 {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => DeviceError::Memory(text),
            _ => DeviceError::Lost(text),
        }
    }
}

impl From<cudarc::cublaslt::result::CublasError> for DeviceError {
    fn from(error: cudarc::cublaslt::result::CublasError) -> DeviceError {
        use cudarc::cublaslt::sys::cublasStatus_t as Code;
        let text = format!("{error:?}");
        match error.0 {
            Code::CUBLAS_STATUS_ALLOC_FAILED => DeviceError::Memory(text),
            Code::CUBLAS_STATUS_NOT_SUPPORTED => DeviceError::Unsupported(text),
            _ => DeviceError::Lost(text),
        }
    }
}

#[cfg(test)]
mod tests;
