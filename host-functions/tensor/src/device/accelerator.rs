//! A device with a guard.

use std::{
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::{Device, DeviceError};

/// How an accelerator is used. Nothing here can change a result or a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Opcodes with less work than this stay on the CPU, where they end before an upload would.
    pub min_work: u64,
    /// One in this many runs is computed again on the CPU, at places that nobody can foresee; 0 for none.
    pub spot_check: u64,
}

impl Default for Settings {
    /// A few million multiplications are worth the way to a card; one run in 64 is checked.
    fn default() -> Settings {
        Settings { min_work: 1 << 24, spot_check: 64 }
    }
}

/// Something that an operator should know: a device was not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The device.
    pub device: String,
    /// What it was running.
    pub what: String,
    /// What went wrong.
    pub error: DeviceError,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} running {}: {}", self.device, self.what, self.error)
    }
}

/// The most alarms that are kept; later ones are only counted.
const KEPT_ALARMS: usize = 64;

/// A device, what is thought of it, and what it did.
#[derive(Debug)]
pub struct Accelerator {
    device: Box<dyn Device>,
    settings: Settings,
    retired: AtomicBool,
    runs: AtomicU64,
    alarms: Mutex<Vec<Alarm>>,
    /// Which one of this process it is.
    number: u64,
    /// Where the spot checks begin: a secret of this node.
    phase: u64,
}

impl Accelerator {
    pub(crate) fn new(device: Box<dyn Device>, settings: Settings) -> Accelerator {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Accelerator {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            device,
            settings,
            retired: AtomicBool::new(false),
            runs: AtomicU64::new(0),
            alarms: Mutex::default(),
            phase: secret(),
        }
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &dyn Device {
        &*self.device
    }

    /// A number that no other accelerator of this process has: what to keep loaded programs under.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How it is used.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether it is out of use because it computed a wrong bit or got lost.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Programs that the device has run and was believed.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// What went wrong so far, oldest first.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the device try. `None` means that the CPU has to do it.
    pub fn attempt<R>(&self, what: &str, run: impl FnOnce(&dyn Device) -> Result<R, DeviceError>) -> Option<R> {
        if self.is_retired() {
            return None;
        }
        // Libraries of devices may panic where something is missing; that is this node's trouble like any other.
        let answer = panic::catch_unwind(AssertUnwindSafe(|| run(&*self.device)))
            .unwrap_or_else(|_| Err(DeviceError::Lost("its code panicked".to_owned())));
        match answer {
            Ok(result) => {
                self.runs.fetch_add(1, Ordering::Relaxed);
                Some(result)
            }
            // Not a fault: some programs belong to the CPU.
            Err(DeviceError::Unsupported(_)) => None,
            Err(error) => {
                self.raise(what, error);
                None
            }
        }
    }

    /// Keeps and logs an alarm, and puts the device out of use where it can no longer be believed.
    pub fn raise(&self, what: &str, error: DeviceError) {
        tracing::error!(device = self.device.name(), what, %error, "a device was not believed, the CPU computes instead");
        if error.is_final() {
            self.retired.store(true, Ordering::Relaxed);
        }
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        if alarms.len() < KEPT_ALARMS {
            alarms.push(Alarm { device: self.device.name(), what: what.to_owned(), error });
        }
    }

    /// Whether to compute this run again, and if so, with which number to choose what.
    #[must_use]
    pub fn spot_check(&self) -> Option<u64> {
        let every = self.settings.spot_check;
        let turn = self.runs().wrapping_add(self.phase);
        (every > 0 && turn.is_multiple_of(every)).then(|| mix(turn ^ self.phase))
    }
}

/// A number that others cannot guess. It chooses what is checked; no result depends on it.
#[allow(clippy::disallowed_methods, reason = "chooses what a node checks on its own device, never a result")]
pub(crate) fn secret() -> u64 {
    let mut bytes = [0; 8];
    // Without random numbers the checks are foreseeable, but still made.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// The finaliser of SplitMix64.
pub(crate) fn mix(value: u64) -> u64 {
    let z = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
