use super::{compile, libraries_present};
use crate::{KernelError, Kernels, Level};

/// Where the compiler of CUDA is installed, with or without a device.
#[test]
fn the_kernels_compile_for_every_architecture() {
    // SAFETY: loading the library runs nothing of ours.
    if !unsafe { cudarc::nvrtc::sys::is_culib_present() } {
        eprintln!("skipped: NVRTC is not installed");
        return;
    }
    for architecture in ["compute_80", "compute_86", "compute_89", "compute_90", "compute_100"] {
        if let Err(error) = compile(architecture) {
            panic!("{architecture}: {error}");
        }
    }
}

#[test]
fn a_machine_without_a_device_says_so() {
    if Level::Cuda.is_available() {
        return;
    }
    let error = Kernels::new(Level::Cuda, 1).unwrap_err();
    assert!(matches!(error, KernelError::Device { .. } | KernelError::Unavailable(Level::Cuda)), "{error}");
    if !libraries_present() {
        assert!(error.to_string().contains("not installed"), "{error}");
    }
}
