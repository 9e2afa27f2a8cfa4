//! LightGBM by its C interface, from a library that is loaded by its path.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr;

use anyhow::{Context, bail, ensure};
use libloading::Library;

use super::forest::{FEATURES, Rows};

/// Kinds of numbers and of predictions, as `c_api.h` of LightGBM numbers them.
const FLOAT32: c_int = 0;
const FLOAT64: c_int = 1;
const NORMAL: c_int = 0;
const RAW: c_int = 1;
/// Rows from which a model is learnt.
const TRAINING: usize = 50_000;

type Handle = *mut c_void;
type Free = unsafe extern "C" fn(Handle) -> c_int;
type LastError = unsafe extern "C" fn() -> *const c_char;
type DatasetCreateFromMat =
    unsafe extern "C" fn(*const c_void, c_int, i32, i32, c_int, *const c_char, Handle, *mut Handle) -> c_int;
type DatasetSetField = unsafe extern "C" fn(Handle, *const c_char, *const c_void, c_int, c_int) -> c_int;
type BoosterCreate = unsafe extern "C" fn(Handle, *const c_char, *mut Handle) -> c_int;
type BoosterUpdateOneIter = unsafe extern "C" fn(Handle, *mut c_int) -> c_int;
type BoosterSaveModelToString = unsafe extern "C" fn(Handle, c_int, c_int, c_int, i64, *mut i64, *mut c_char) -> c_int;
type BoosterLoadModelFromString = unsafe extern "C" fn(*const c_char, *mut c_int, *mut Handle) -> c_int;
type BoosterPredictForMat = unsafe extern "C" fn(
    Handle,
    *const c_void,
    c_int,
    i32,
    i32,
    c_int,
    c_int,
    c_int,
    c_int,
    *const c_char,
    *mut i64,
    *mut f64,
) -> c_int;
type SingleRowFastInit =
    unsafe extern "C" fn(Handle, c_int, c_int, c_int, c_int, i32, *const c_char, *mut Handle) -> c_int;
type SingleRowFast = unsafe extern "C" fn(Handle, *const c_void, *mut i64, *mut f64) -> c_int;

/// The library.
pub(super) struct LightGbm {
    library: Library,
    last_error: LastError,
    predict: BoosterPredictForMat,
    single_row: SingleRowFast,
}

impl LightGbm {
    /// Loads it.
    pub(super) fn load(path: &Path) -> anyhow::Result<LightGbm> {
        let shown = path.display();
        // SAFETY: the person who measures names a library that they trust as much as this program.
        let library = unsafe { Library::new(path) }.with_context(|| format!("cannot load {shown}"))?;
        Ok(LightGbm {
            last_error: function(&library, "LGBM_GetLastError")?,
            predict: function(&library, "LGBM_BoosterPredictForMat")?,
            single_row: function(&library, "LGBM_BoosterPredictForMatSingleRowFast")?,
            library,
        })
    }

    fn check(&self, code: c_int) -> anyhow::Result<()> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: it returns a text that lives until the next call.
        let text = unsafe { CStr::from_ptr((self.last_error)()) };
        bail!("LightGBM: {}", text.to_string_lossy())
    }

    fn owned(&self, handle: Handle, free: &str) -> anyhow::Result<Owned<'_>> {
        Ok(Owned { handle, free: function(&self.library, free)?, library: PhantomData })
    }

    /// Learns trees that tell from made-up rows a made-up class, and gives their text.
    pub(super) fn train(&self, trees: usize, depth: u32) -> anyhow::Result<String> {
        let rows = Rows::new(TRAINING);
        let label = |row: &[f64]| {
            let signal = row[0] * row[1] + row[2].abs() - row[3] + if row[4] > 0.3 { row[5] } else { row[6] * row[7] };
            let noise: f64 = row[8..].iter().sum::<f64>() * 0.1;
            f32::from(u8::from(signal + noise > 0.4))
        };
        let labels: Vec<f32> = rows.real.chunks(FEATURES).map(label).collect();
        let leaves = 1 << depth;
        let parameters = CString::new(format!(
            "objective=binary num_leaves={leaves} max_depth={depth} min_data_in_leaf=20 learning_rate=0.1 num_threads=1 \
             deterministic=true force_row_wise=true seed=1 verbosity=-1"
        ))?;
        let create: DatasetCreateFromMat = function(&self.library, "LGBM_DatasetCreateFromMat")?;
        let (count, width) = (i32::try_from(TRAINING)?, i32::try_from(FEATURES)?);
        let (data, mut handle) = (rows.real.as_ptr().cast(), ptr::null_mut());
        // SAFETY: the matrix has that many rows and columns, the text ends in 0, and the handle is written.
        self.check(unsafe {
            create(data, FLOAT64, count, width, 1, parameters.as_ptr(), ptr::null_mut(), &raw mut handle)
        })?;
        let dataset = self.owned(handle, "LGBM_DatasetFree")?;
        let set_field: DatasetSetField = function(&self.library, "LGBM_DatasetSetField")?;
        // SAFETY: as many labels as rows; the library copies them.
        self.check(unsafe { set_field(dataset.handle, c"label".as_ptr(), labels.as_ptr().cast(), count, FLOAT32) })?;
        let create: BoosterCreate = function(&self.library, "LGBM_BoosterCreate")?;
        let mut handle = ptr::null_mut();
        // SAFETY: the data set lives longer than the booster, which is declared after it.
        self.check(unsafe { create(dataset.handle, parameters.as_ptr(), &raw mut handle) })?;
        let booster = self.owned(handle, "LGBM_BoosterFree")?;
        let update: BoosterUpdateOneIter = function(&self.library, "LGBM_BoosterUpdateOneIter")?;
        for _ in 0..trees {
            let mut finished = 0;
            // SAFETY: a live booster.
            self.check(unsafe { update(booster.handle, &raw mut finished) })?;
        }
        let save: BoosterSaveModelToString = function(&self.library, "LGBM_BoosterSaveModelToString")?;
        let mut length = 0;
        // SAFETY: a buffer of length 0 is only asked for its length.
        self.check(unsafe { save(booster.handle, 0, -1, 0, 0, &raw mut length, ptr::null_mut()) })?;
        let mut text = vec![0_u8; usize::try_from(length)?];
        // SAFETY: the buffer has the length that is said.
        self.check(unsafe { save(booster.handle, 0, -1, 0, length, &raw mut length, text.as_mut_ptr().cast()) })?;
        Ok(CStr::from_bytes_until_nul(&text)?.to_str()?.to_owned())
    }

    /// A model from its text.
    pub(super) fn booster(&self, text: &str) -> anyhow::Result<Booster<'_>> {
        let load: BoosterLoadModelFromString = function(&self.library, "LGBM_BoosterLoadModelFromString")?;
        let (text, mut iterations, mut handle) = (CString::new(text)?, 0, ptr::null_mut());
        // SAFETY: a text that ends in 0, and two places to write to.
        self.check(unsafe { load(text.as_ptr(), &raw mut iterations, &raw mut handle) })?;
        Ok(Booster { library: self, owned: self.owned(handle, "LGBM_BoosterFree")? })
    }
}

/// A function of the library. What is asked for has the type of the header `c_api.h`.
fn function<T: Copy>(library: &Library, name: &str) -> anyhow::Result<T> {
    // SAFETY: the types above are those of the header.
    let symbol = unsafe { library.get::<T>(name.as_bytes()) }.with_context(|| format!("the library has no {name}"))?;
    Ok(*symbol)
}

/// Something that the library made, and frees.
struct Owned<'l> {
    handle: Handle,
    free: Free,
    library: PhantomData<&'l LightGbm>,
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        // SAFETY: it was made by the library, which lives longer, and is freed once.
        unsafe { (self.free)(self.handle) };
    }
}

/// A model.
pub(super) struct Booster<'l> {
    library: &'l LightGbm,
    owned: Owned<'l>,
}

impl Booster<'_> {
    /// The raw scores of some rows.
    pub(super) fn raw(&self, rows: &[f64]) -> anyhow::Result<Vec<f64>> {
        let mut out = vec![0.0; rows.len() / FEATURES];
        self.matrix(rows, RAW, &mut out)?;
        Ok(out)
    }

    /// The probabilities of some rows.
    pub(super) fn predict(&self, rows: &[f64], out: &mut [f64]) -> anyhow::Result<()> {
        self.matrix(rows, NORMAL, out)
    }

    fn matrix(&self, rows: &[f64], kind: c_int, out: &mut [f64]) -> anyhow::Result<()> {
        let count = rows.len() / FEATURES;
        ensure!(count == out.len() && rows.len() == count * FEATURES, "one score for each row");
        let (count, width, mut length) = (i32::try_from(count)?, i32::try_from(FEATURES)?, 0);
        let (data, parameters) = (rows.as_ptr().cast(), c"num_threads=1".as_ptr());
        // SAFETY: that many rows of that many numbers, and a place for one score of each.
        self.library.check(unsafe {
            (self.library.predict)(
                self.owned.handle,
                data,
                FLOAT64,
                count,
                width,
                1,
                kind,
                0,
                -1,
                parameters,
                &raw mut length,
                out.as_mut_ptr(),
            )
        })
    }

    /// What predicts single rows fast.
    pub(super) fn single_row(&self) -> anyhow::Result<SingleRow<'_>> {
        let library = self.library;
        let init: SingleRowFastInit = function(&library.library, "LGBM_BoosterPredictForMatSingleRowFastInit")?;
        let (width, parameters, mut handle) = (i32::try_from(FEATURES)?, c"num_threads=1".as_ptr(), ptr::null_mut());
        // SAFETY: a live booster, which outlives what is made of it.
        let code = unsafe { init(self.owned.handle, NORMAL, 0, -1, FLOAT64, width, parameters, &raw mut handle) };
        library.check(code)?;
        Ok(SingleRow { library, config: library.owned(handle, "LGBM_FastConfigFree")? })
    }
}

/// What predicts single rows.
pub(super) struct SingleRow<'l> {
    library: &'l LightGbm,
    config: Owned<'l>,
}

impl SingleRow<'_> {
    /// The probability of a row.
    pub(super) fn predict(&self, row: &[f64]) -> f64 {
        let (mut length, mut out) = (0, f64::NAN);
        assert_eq!(row.len(), FEATURES);
        // SAFETY: a row of that many numbers, and a place for its score.
        let code = unsafe {
            (self.library.single_row)(self.config.handle, row.as_ptr().cast(), &raw mut length, &raw mut out)
        };
        assert_eq!(code, 0, "LightGBM took this row before");
        out
    }
}
