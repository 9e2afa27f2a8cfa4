//! Matrix products of 8-bit integers by cuBLASLt.
//!
//! `c[i][j] = sum over l of x[i][l] * w[j][l]`, row-major, `x` `[m][k]`, `w` `[n][k]`: for cuBLAS, whose
//! matrices are column-major, that is `c^T = w x^T` with `w` transposed, the form that int8 tensor cores
//! take. Which algorithm of cuBLAS runs cannot change a bit: sums are exact.

use std::{collections::BTreeMap, ffi::c_void, mem, ptr, sync::Arc};

use cudarc::{
    cublaslt::{result, sys},
    driver::{CudaSlice, CudaStream, sys::CUdeviceptr},
};

use crate::device::DeviceError;

/// Which unit of the card multiplies. All give the same bits; sums of floats are kept so short that
/// they are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProductUnit {
    /// Tensor cores for 8-bit integers, sums of 32 bits.
    Int8,
    /// Tensor cores for `bf16`, which holds every 8-bit integer, with sums in binary32: `2^24`.
    Bf16,
    /// Units for binary64: sums up to `2^53`, kept below `2^31` like the others.
    F64,
}

/// How many operands of a unit may be summed at once. A multiple of 16, so that pieces of a row begin
/// where the unit can load.
impl ProductUnit {
    pub(super) const fn max_k(self) -> usize {
        match self {
            // 131056 * 2^14 < 2^31
            ProductUnit::Int8 | ProductUnit::F64 => 131_056,
            // 1024 * 2^14 = 2^24
            ProductUnit::Bf16 => 1024,
        }
    }

    /// Bytes of an operand, where it is not the 8-bit integer itself.
    pub(super) const fn widened(self) -> Option<usize> {
        match self {
            ProductUnit::Int8 => None,
            ProductUnit::Bf16 => Some(2),
            ProductUnit::F64 => Some(8),
        }
    }

    /// Bytes of a sum.
    pub(super) const fn sum_bytes(self) -> usize {
        match self {
            ProductUnit::Int8 | ProductUnit::Bf16 => 4,
            ProductUnit::F64 => 8,
        }
    }

    fn types(self) -> (sys::cublasComputeType_t, sys::cudaDataType, sys::cudaDataType) {
        use sys::{cublasComputeType_t as Compute, cudaDataType_t as Data};
        match self {
            ProductUnit::Int8 => (Compute::CUBLAS_COMPUTE_32I, Data::CUDA_R_8I, Data::CUDA_R_32I),
            ProductUnit::Bf16 => (Compute::CUBLAS_COMPUTE_32F, Data::CUDA_R_16BF, Data::CUDA_R_32F),
            ProductUnit::F64 => (Compute::CUBLAS_COMPUTE_64F, Data::CUDA_R_64F, Data::CUDA_R_64F),
        }
    }
}

/// The sides of a product on the card, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Product {
    pub(super) m: usize,
    pub(super) k: usize,
    pub(super) n: usize,
    /// Elements between rows of `x` and of `w`.
    pub(super) stride: usize,
    /// Independent products, one after the other in memory.
    pub(super) batches: usize,
}

/// Products above this many multiplications are worth trying several algorithms once.
const TUNE: usize = 1 << 31;

/// Algorithms that are tried.
const CANDIDATES: usize = 8;

/// The library, its workspace, and how each product that it has seen is done best.
pub(super) struct Gemm {
    handle: sys::cublasLtHandle_t,
    unit: ProductUnit,
    stream: Arc<CudaStream>,
    workspace: CudaSlice<u8>,
    workspace_at: CUdeviceptr,
    plans: BTreeMap<Product, Plan>,
}

// SAFETY: a cuBLASLt handle may be used from any thread, and this one is used behind a lock.
unsafe impl Send for Gemm {}

struct Plan {
    operation: Owned<sys::cublasLtMatmulDescOpaque_t>,
    w: Owned<sys::cublasLtMatrixLayoutOpaque_t>,
    x: Owned<sys::cublasLtMatrixLayoutOpaque_t>,
    c: Owned<sys::cublasLtMatrixLayoutOpaque_t>,
    algorithm: sys::cublasLtMatmulAlgo_t,
}

/// A descriptor of the library with the function that frees it.
struct Owned<T> {
    at: *mut T,
    free: unsafe fn(*mut T) -> sys::cublasStatus_t,
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made by the library, and nobody else frees it.
        unsafe { (self.free)(self.at) };
    }
}

impl Gemm {
    pub(super) fn new(stream: &Arc<CudaStream>, unit: ProductUnit, major: i32) -> Result<Gemm, DeviceError> {
        // What NVIDIA recommends for Hopper and for what was before it.
        let bytes = if major >= 9 { 32 << 20 } else { 4 << 20 };
        // SAFETY: a workspace is written before it is read.
        let workspace = unsafe { stream.alloc::<u8>(bytes)? };
        Ok(Gemm {
            handle: result::create_handle()?,
            unit,
            stream: Arc::clone(stream),
            workspace_at: super::launch::address(&workspace, stream),
            workspace,
            plans: BTreeMap::new(),
        })
    }

    /// Launches a product: `x`, `w` and `sums` are addresses on the card.
    ///
    /// # Safety
    /// The addresses must be aligned to 16 bytes and have the operands and the room that `product` says.
    pub(super) unsafe fn launch(
        &mut self,
        product: Product,
        x: CUdeviceptr,
        w: CUdeviceptr,
        sums: CUdeviceptr,
    ) -> Result<(), DeviceError> {
        if !self.plans.contains_key(&product) {
            // SAFETY: as of this function.
            let plan = unsafe { self.plan(product, x, w, sums)? };
            self.plans.insert(product, plan);
        }
        let plan = &self.plans[&product];
        // SAFETY: as of this function.
        unsafe { self.multiply(plan, &plan.algorithm, x, w, sums) }
    }

    /// Launches a product by an algorithm.
    ///
    /// # Safety
    /// As of [`Gemm::launch`], for the product of the plan.
    unsafe fn multiply(
        &self,
        plan: &Plan,
        algorithm: &sys::cublasLtMatmulAlgo_t,
        x: CUdeviceptr,
        w: CUdeviceptr,
        sums: CUdeviceptr,
    ) -> Result<(), DeviceError> {
        let (int, single, double) = ((1i32, 0i32), (1f32, 0f32), (1f64, 0f64));
        let (one, zero): (*const c_void, *const c_void) = match self.unit {
            ProductUnit::Int8 => (ptr::from_ref(&int.0).cast(), ptr::from_ref(&int.1).cast()),
            ProductUnit::Bf16 => (ptr::from_ref(&single.0).cast(), ptr::from_ref(&single.1).cast()),
            ProductUnit::F64 => (ptr::from_ref(&double.0).cast(), ptr::from_ref(&double.1).cast()),
        };
        // SAFETY: descriptors live as long as the plan; the addresses are the caller's promise.
        unsafe {
            result::matmul(
                self.handle,
                plan.operation.at,
                one,
                zero,
                address(w),
                plan.w.at,
                address(x),
                plan.x.at,
                address(sums),
                plan.c.at,
                address(sums).cast_mut(),
                plan.c.at,
                algorithm,
                address(self.workspace_at).cast_mut(),
                self.workspace.len(),
                self.stream.cu_stream().cast(),
            )?;
        }
        Ok(())
    }

    /// How to do a product; where it is large, the fastest of several ways, tried on these operands.
    ///
    /// # Safety
    /// As of [`Gemm::launch`].
    unsafe fn plan(
        &self,
        product: Product,
        x: CUdeviceptr,
        w: CUdeviceptr,
        sums: CUdeviceptr,
    ) -> Result<Plan, DeviceError> {
        let Product { m, k, n, stride, .. } = product;
        let (compute, operand, sum) = self.unit.types();
        let operation = Owned { at: result::create_matmul_desc(compute, sum)?, free: sys::cublasLtMatmulDescDestroy };
        // CUBLAS_OP_T of cuBLAS's header.
        let transposed = 1i32;
        // SAFETY: the attribute is of this type.
        unsafe {
            result::set_matmul_desc_attribute(
                operation.at,
                sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA,
                ptr::from_ref(&transposed).cast(),
                mem::size_of_val(&transposed),
            )?;
        }
        let layout = |kind, rows: usize, columns: usize, stride: usize| {
            let (rows, columns) = (number(rows)?, number(columns)?);
            let made = result::create_matrix_layout(kind, rows, columns, number(stride)?.cast_signed())?;
            Ok::<_, DeviceError>(Owned { at: made, free: sys::cublasLtMatrixLayoutDestroy })
        };
        let mut plan = Plan {
            operation,
            w: layout(operand, k, n, stride)?,
            x: layout(operand, k, m, stride)?,
            c: layout(sum, n, m, n)?,
            algorithm: sys::cublasLtMatmulAlgo_t { data: [0; 8] },
        };
        if product.batches > 1 {
            let batches = i32::try_from(product.batches).map_err(|_| too_large())?;
            for (layout, elements) in [(&plan.w, n * stride), (&plan.x, m * stride), (&plan.c, m * n)] {
                let elements = i64::try_from(elements).map_err(|_| too_large())?;
                // SAFETY: the attributes are of these types.
                unsafe {
                    result::set_matrix_layout_attribute(
                        layout.at,
                        sys::cublasLtMatrixLayoutAttribute_t::CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
                        ptr::from_ref(&batches).cast(),
                        mem::size_of_val(&batches),
                    )?;
                    result::set_matrix_layout_attribute(
                        layout.at,
                        sys::cublasLtMatrixLayoutAttribute_t::CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                        ptr::from_ref(&elements).cast(),
                        mem::size_of_val(&elements),
                    )?;
                }
            }
        }
        let candidates = self.candidates(&plan)?;
        let work = m.saturating_mul(k).saturating_mul(n).saturating_mul(product.batches);
        plan.algorithm = candidates[0];
        if work >= TUNE && candidates.len() > 1 {
            let mut best = f32::INFINITY;
            for algorithm in candidates {
                // SAFETY: as of this function.
                let time = unsafe { self.time(&plan, &algorithm, x, w, sums) };
                if let Some(time) = time.filter(|time| *time < best) {
                    (best, plan.algorithm) = (time, algorithm);
                }
            }
        }
        Ok(plan)
    }

    /// What the library proposes, best guess first.
    fn candidates(&self, plan: &Plan) -> Result<Vec<sys::cublasLtMatmulAlgo_t>, DeviceError> {
        let preference = Owned { at: result::create_matmul_pref()?, free: sys::cublasLtMatmulPreferenceDestroy };
        let bytes = self.workspace.len();
        let mut found: [mem::MaybeUninit<sys::cublasLtMatmulHeuristicResult_t>; CANDIDATES] =
            [const { mem::MaybeUninit::zeroed() }; CANDIDATES];
        let mut count = 0;
        // SAFETY: the attribute is of this type; `found` has room for as many results as are asked for,
        // and zeros are a valid result, so that what is not written may be read.
        let found = unsafe {
            result::set_matmul_pref_attribute(
                preference.at,
                sys::cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                ptr::from_ref(&bytes).cast(),
                mem::size_of_val(&bytes),
            )?;
            sys::cublasLtMatmulAlgoGetHeuristic(
                self.handle,
                plan.operation.at,
                plan.w.at,
                plan.x.at,
                plan.c.at,
                plan.c.at,
                preference.at,
                i32::try_from(CANDIDATES).unwrap_or(1),
                found.as_mut_ptr().cast(),
                &mut count,
            )
            .result()?;
            found.map(|result| result.assume_init())
        };
        let count = usize::try_from(count).unwrap_or(0).min(CANDIDATES);
        let usable = found[..count].iter().filter(|found| found.state == sys::cublasStatus_t::CUBLAS_STATUS_SUCCESS);
        let algorithms: Vec<_> = usable.map(|found| found.algo).collect();
        match algorithms.is_empty() {
            true => Err(DeviceError::Unsupported("no algorithm for a product of this shape".to_owned())),
            false => Ok(algorithms),
        }
    }

    /// Milliseconds of a product, the better of two after one that warms up; nothing where it fails.
    ///
    /// # Safety
    /// As of [`Gemm::launch`], for the product of the plan.
    unsafe fn time(
        &self,
        plan: &Plan,
        algorithm: &sys::cublasLtMatmulAlgo_t,
        x: CUdeviceptr,
        w: CUdeviceptr,
        sums: CUdeviceptr,
    ) -> Option<f32> {
        let flags = Some(cudarc::driver::sys::CUevent_flags::CU_EVENT_DEFAULT);
        let mut best = None;
        for round in 0..3 {
            let start = self.stream.record_event(flags).ok()?;
            // SAFETY: as of this function.
            unsafe { self.multiply(plan, algorithm, x, w, sums).ok()? };
            let end = self.stream.record_event(flags).ok()?;
            let time = start.elapsed_ms(&end).ok()?;
            if round > 0 {
                best = Some(best.map_or(time, |best: f32| best.min(time)));
            }
        }
        best
    }
}

impl Drop for Gemm {
    fn drop(&mut self) {
        self.plans.clear();
        // SAFETY: made by the library, and nobody else frees it. An error has nowhere to go.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

#[allow(clippy::as_conversions, reason = "an address of the card, which the library takes as a pointer")]
fn address(at: CUdeviceptr) -> *const c_void {
    at as *const c_void
}

fn number(value: usize) -> Result<u64, DeviceError> {
    u64::try_from(value).map_err(|_| too_large())
}

fn too_large() -> DeviceError {
    DeviceError::Unsupported("a product with sides that cannot be counted".to_owned())
}
