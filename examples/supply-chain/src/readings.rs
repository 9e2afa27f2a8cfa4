//! Readings of the sensor, and what the networks say about them.

use noema_sdk::{self as noema, prelude::*};

use crate::terms::{MAX_READINGS, Scorers, Shipment, SupplyError};

/// Numbers of a reading.
pub const CHANNELS: usize = 5;
/// How many readings the networks look at. Where there are fewer, the first one stands in for those that are missing.
pub const WINDOW: usize = 12;

type Window = [[[i32; CHANNELS]; WINDOW]; 1];
/// Logits, probabilities of [as it should be, anomalous], class.
type Anomaly = StaticModel<(Window,), ([[i32; 2]; 1], [[i32; 2]; 1], [i32; 1])>;
/// Hours, and a class that says nothing.
type Forecast = StaticModel<(Window,), ([[i32; 1]; 1], [i32; 1])>;

/// What the sensor has measured in an hour.
#[noema::data]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Temperature in the box, in degrees Celsius.
    pub inside: Fixed<8>,
    /// Temperature outside.
    pub outside: Fixed<8>,
    /// How long the door was open, in minutes.
    pub door: Fixed<8>,
    /// How far the goods were driven, in kilometres.
    pub driven: Fixed<8>,
    /// How far they still have to go.
    pub to_go: Fixed<8>,
}

impl Reading {
    /// As the networks read it: nothing where no sensor measures that.
    fn row(&self) -> Option<[i32; CHANNELS]> {
        let within = |value: Fixed<8>, least: i64, most: i64| {
            let whole = least << 8..=most << 8;
            whole.contains(&value.bits()).then(|| i32::try_from(value.bits()).ok())?
        };
        Some([
            within(self.inside, -60, 100)?,
            within(self.outside, -60, 100)?,
            within(self.door, 0, 60)?,
            within(self.driven, 0, 1_000)?,
            within(self.to_go, 0, 30_000)?,
        ])
    }
}

/// What a sensor signs: these readings for this hour of this shipment at this contract, so that they are worth nothing anywhere else.
#[must_use]
pub fn signed_bytes(contract: &Address, shipment: u64, first: u32, readings: &[Reading]) -> Vec<u8> {
    let mut bytes = b"supply-chain readings".to_vec();
    bytes.extend_from_slice(&contract.0);
    bytes.extend_from_slice(&shipment.to_le_bytes());
    bytes.extend_from_slice(&first.to_le_bytes());
    for reading in readings {
        for value in [reading.inside, reading.outside, reading.door, reading.driven, reading.to_go] {
            bytes.extend_from_slice(&value.bits().to_le_bytes());
        }
    }
    bytes
}

impl Shipment {
    /// Adds readings, if they are the next ones.
    pub(crate) fn append(
        &mut self,
        id: u64,
        first: u32,
        readings: &[Reading],
        signature: Option<[u8; 64]>,
    ) -> Result<()> {
        ensure!(first >= self.posted, SupplyError::AlreadyPosted);
        ensure!(first == self.posted, SupplyError::ReadingsMissing);
        ensure!((1..=MAX_READINGS).contains(&readings.len()), SupplyError::BadReading);
        let posted = u32::try_from(readings.len()).ok().and_then(|count| first.checked_add(count));
        let posted = posted.ok_or(SupplyError::FromTheFuture)?;
        ensure!(posted - 1 <= self.hours(env::block_time_ms()), SupplyError::FromTheFuture);
        if let Some(Hash(key)) = self.terms.sensor {
            let message = signed_bytes(&env::self_address(), id, first, readings);
            let signed = signature.is_some_and(|signature| crypto::ed25519_verify(&key, &signature, &message));
            ensure!(signed, SupplyError::BadSignature);
        }
        for reading in readings {
            let row = reading.row().ok_or(SupplyError::BadReading)?;
            if self.posted == 0 {
                self.window = [row; WINDOW];
            }
            self.window.rotate_left(1);
            self.window[WINDOW - 1] = row;
            self.posted += 1;
        }
        Ok(())
    }

    /// Kilometres to go by the last reading, rounded up.
    pub(crate) fn to_go(&self) -> i32 {
        if self.posted == 0 { i32::MAX } else { (self.window[WINDOW - 1][CHANNELS - 1] + 255) >> 8 }
    }
}

/// How likely it is that something is wrong, of 65,536, and how many hours are to go.
pub(crate) fn score(scorers: &Scorers, window: &[[i32; CHANNELS]; WINDOW]) -> Result<(i32, u64)> {
    let window = (StaticTensor::of(&[*window])?,);
    let (_, probabilities, _) = Anomaly::open(&scorers.anomaly)?.run(&window)?;
    let [[_, anomalous]] = probabilities.read()?;
    let (hours, _) = Forecast::open(&scorers.forecast)?.run(&window)?;
    let [[hours]] = hours.read()?;
    // Whole hours, rounded up; the network may say a little less than nothing.
    let unit = 1i64.checked_shl(scorers.forecast_bits.into()).unwrap_or(i64::MAX);
    let hours = u64::try_from((i64::from(hours) + unit - 1) / unit).unwrap_or(0);
    Ok((anomalous, hours))
}
