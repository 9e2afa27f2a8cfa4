//! A market for data: contributors put data sets of one licence together, a model measures what each of them is worth, buyers
//! buy the collection, and contributors are paid by what they are worth, if they hand over a key that opens it.
//!
//! ```text
//!  register (root, bond)  |  show (held-out rows)  |  a slot for each: appraise (a sample)  |  the sale
//!      register_until            show_until             slot_ms each
//!
//!  buy (price) --> release (sealed key), part by part --> dispute: the key or a row is wrong: its share back
//!                     |                                        |
//!                     +-- not in time: its share back          +-- not in time: settle, the share to the contributor
//! ```
//!
//! **Worth.** Each data set is a Merkle tree of rows. When nobody can enter any more, the held-out rows are shown, and with
//! them a seed that draws a sample of each data set, which its contributor opens. The contract embeds all rows with an encoder
//! (a network on the chain), and counts how many held-out rows their nearest known neighbour names rightly, with the sample
//! and without it. The difference is what the data set is worth: a copy of what is known brings nothing, and wrong names
//! nothing or less. Data sets are measured in the order in which they came.
//!
//! **Handing over.** What a contributor publishes is encrypted row by row. A buyer commits to a pad for each data set and gives it
//! to its contributor alone; the contributor puts the key, hidden by the pad, on the chain. If that is not the key that was
//! registered, or opens a row to something else than the tree has, the buyer shows the pad, and everybody sees it.
#![no_std]
#![forbid(unsafe_code)]

mod records;
mod tree;
mod worth;

use noema_sdk::{self as noema, prelude::*};

pub use records::{Delivery, Ending, Part, Purchase, Terms};
pub use tree::{Opened, Row, SealedRow};
pub use worth::{HeldOut, Rows};

/// Why the market refuses.
#[noema::error]
pub enum DataError {
    /// the terms cannot be met
    BadTerms,
    /// the time for this is over
    TooLate,
    /// the time for this has not come
    TooEarly,
    /// there is no such part or purchase
    Unknown,
    /// this data set is registered already, or there are too many
    NotTaken,
    /// only the contributor of the part may do this
    NotYours,
    /// this is not what was committed to
    WrongOpening,
    /// it has been done already
    Again,
    /// nothing of worth is for sale
    NothingForSale,
    /// there must be a pad for each part that is sold, in their order
    WrongPads,
    /// nothing is wrong: the key is the one that was registered, and the row what the tree has
    NothingWrong,
}

/// A data set has been measured.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appraised {
    /// Its number.
    pub part: u32,
    /// Held-out rows named rightly without it ..
    pub before: u32,
    /// .. and with it.
    pub after: u32,
}

/// A part of a purchase has ended.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The purchase.
    pub purchase: u64,
    /// The part.
    pub part: u32,
    /// How.
    pub ending: Ending,
    /// Its share of the price.
    pub share: Amount,
}

/// The market of one collection. Its length never changes.
#[noema::state]
pub struct Market {
    curator: Address,
    terms: Terms,
    shown: bool,
    registered: u32,
    sold: u32,
    worth: u32,
    purchases: u64,
}

/// Each has a slot, which delays the sale: there must be an end to it.
const MAX_PARTS: u32 = 64;
/// Most numbers of all rows that may ever be known, in one entry.
const MAX_NUMBERS: u32 = 24_000;
/// Most held-out rows.
const MAX_HELD_OUT: u32 = 256;
/// Most gas of the encoder for all rows that may ever be known: a part of what a transaction has.
const MAX_GAS: u64 = 100_000_000_000;

const PARTS: Map<u32, Part> = Map::new("parts");
const ROOTS: Set<Hash> = Set::new("roots");
/// Rows that everybody can see: those of the beginning, and the samples of what was accepted.
const KNOWN: Item<Rows> = Item::new("known");
const HELD_OUT: Item<HeldOut> = Item::new("held out");
const PURCHASES: Map<u64, Purchase> = Map::new("purchases");
const DELIVERIES: Map<(u64, u32), Delivery> = Map::new("deliveries");

#[noema::contract(events(Appraised, Settled), errors(DataError))]
impl Market {
    #[init]
    fn new(terms: Terms, known: Rows) -> Result<Self> {
        ensure!(terms.make_sense(env::block_time_ms()) && known.fits(terms.features), DataError::BadTerms);
        // Who registers must be able to have their bond back: whatever is accepted, the next one can be measured.
        let most = known.len().saturating_add(MAX_PARTS.saturating_mul(terms.sample));
        ensure!(most.saturating_mul(terms.features) <= MAX_NUMBERS, DataError::BadTerms);
        ensure!(Model::open(&terms.model)?.cost(most)? <= MAX_GAS, DataError::BadTerms);
        worth::right(&terms.model, &known, 0, &known)?;
        KNOWN.set(&known)?;
        Ok(Market { curator: env::caller(), terms, shown: false, registered: 0, sold: 0, worth: 0, purchases: 0 })
    }

    /// Registers a data set; returns its number. The bond comes back when it is measured.
    #[call(payable)]
    fn register(&mut self, root: Hash, rows: u32, key_hash: Hash) -> Result<u32> {
        ensure!(env::block_time_ms() <= self.terms.register_until, DataError::TooLate);
        ensure!(rows > 0 && self.registered < MAX_PARTS && !ROOTS.contains(&root)?, DataError::NotTaken);
        let purse = Purse::open();
        let number = self.registered;
        self.registered += 1;
        ROOTS.insert(&root)?;
        PARTS.set(&number, &Part { seller: env::caller(), root, rows, key_hash, bonded: true, worth: 0 })?;
        purse.close(self.terms.bond)?;
        Ok(number)
    }

    /// Shows the held-out rows and the seed of the samples, when nobody can register any more. Usually the curator does.
    #[call(payable)]
    fn show(&mut self, held_out: HeldOut) -> Result<()> {
        between(self.terms.register_until, self.terms.show_until)?;
        ensure!(!self.shown, DataError::Again);
        let hash = crypto::sha256(&noema::encoding::encode(&held_out));
        let fits = held_out.rows.fits(self.terms.features) && held_out.rows.len() <= MAX_HELD_OUT;
        ensure!(hash == self.terms.held_out && fits, DataError::WrongOpening);
        let purse = Purse::open();
        HELD_OUT.set(&held_out)?;
        self.shown = true;
        purse.close(Amount::ZERO)
    }

    /// Measures a data set in its slot, by the rows of it that the seed has drawn, in that order. Returns what it is worth.
    #[call(payable)]
    fn appraise(&mut self, part: u32, sample: Vec<Opened>) -> Result<u32> {
        let mut measured = the_part(part)?;
        let slot = self.slot(part);
        between(slot, slot + self.terms.slot_ms)?;
        ensure!(measured.bonded, DataError::Again);
        let held_out = HELD_OUT.get()?.ok_or(DataError::TooEarly)?;
        let drawn = draw(&held_out.seed, &measured, self.terms.sample);
        ensure!(sample.len() == drawn.len(), DataError::WrongOpening);
        let mut known = KNOWN.get()?.ok_or(DataError::Unknown)?;
        let before = known.labels.len();
        for (opened, index) in sample.into_iter().zip(drawn) {
            ensure!(opened.is_in(&measured.root, measured.rows, index), DataError::WrongOpening);
            known.push(opened.row, self.terms.features).ok_or(DataError::WrongOpening)?;
        }
        let purse = Purse::open();
        // Where the encoder is gone from the chain, nothing has worth; who is here to be measured has their bond back all the same.
        let (before, after) = match Model::open(&self.terms.model) {
            Ok(_) => worth::right(&self.terms.model, &known, before, &held_out.rows)?,
            Err(_) => (0, 0),
        };
        measured.bonded = false;
        measured.worth = after.saturating_sub(before);
        if measured.worth > 0 {
            self.sold += 1;
            self.worth += measured.worth;
            KNOWN.set(&known)?;
        }
        PARTS.set(&part, &measured)?;
        event::emit(&Appraised { part, before, after })?;
        purse.close(Amount::ZERO)?;
        call::transfer(&measured.seller, self.terms.bond.0)?;
        Ok(measured.worth)
    }

    /// Ends the bond of a data set that was not measured: to its contributor, if there was nothing to measure it by; to the
    /// curator, if it only kept others waiting. Anybody may call it.
    #[call]
    fn unbond(&mut self, part: u32) -> Result<()> {
        let mut idle = the_part(part)?;
        ensure!(idle.bonded, DataError::Again);
        let over = if self.shown { self.slot(part) + self.terms.slot_ms } else { self.terms.show_until };
        ensure!(env::block_time_ms() > over, DataError::TooEarly);
        idle.bonded = false;
        PARTS.set(&part, &idle)?;
        Ok(call::transfer(if self.shown { &self.curator } else { &idle.seller }, self.terms.bond.0)?)
    }

    /// Buys the collection. `pads` are the SHA-256 of a secret for each part that is sold, in their order, which its contributor has
    /// been given. Returns the number of the purchase.
    #[call(payable)]
    fn buy(&mut self, pads: Vec<(u32, Hash)>) -> Result<u64> {
        let now = env::block_time_ms();
        ensure!(self.shown && now > self.slot(self.registered), DataError::TooEarly);
        ensure!(self.sold > 0, DataError::NothingForSale);
        let complete = pads.len() == self.sold as usize && pads.is_sorted_by(|a, b| a.0 < b.0);
        ensure!(complete, DataError::WrongPads);
        let purse = Purse::open();
        let purchase = self.purchases;
        self.purchases += 1;
        for (part, pad_hash) in pads {
            ensure!(the_part(part)?.worth > 0, DataError::WrongPads);
            let nothing = Delivery { pad_hash, sealed_key: Hash([0; 32]), released: false };
            DELIVERIES.set(&(purchase, part), &nothing)?;
        }
        let (buyer, left, open) = (env::caller(), self.terms.price, self.sold);
        let release_until = now + self.terms.release_ms;
        let dispute_until = release_until + self.terms.dispute_ms;
        PURCHASES.set(&purchase, &Purchase { buyer, left, open, release_until, dispute_until })?;
        purse.close(self.terms.price)?;
        Ok(purchase)
    }

    /// Hands a key over, hidden by the pad that the buyer has committed to.
    #[call]
    fn release(&self, purchase: u64, part: u32, sealed_key: Hash) -> Result<()> {
        ensure!(env::caller() == the_part(part)?.seller, DataError::NotYours);
        ensure!(env::block_time_ms() <= the_purchase(purchase)?.release_until, DataError::TooLate);
        let delivery = the_delivery(purchase, part)?;
        ensure!(!delivery.released, DataError::Again);
        DELIVERIES.set(&(purchase, part), &Delivery { sealed_key, released: true, ..delivery })
    }

    /// Shows the pad, and with it that the key is not the one that was registered, or that it opens a row to something else
    /// than the tree has. The share goes back to the buyer.
    #[call]
    fn dispute(&self, purchase: u64, part: u32, pad: Hash, row: Option<SealedRow>) -> Result<()> {
        ensure!(env::block_time_ms() <= the_purchase(purchase)?.dispute_until, DataError::TooLate);
        let (sold, delivery) = (the_part(part)?, the_delivery(purchase, part)?);
        ensure!(delivery.released, DataError::TooEarly);
        ensure!(crypto::sha256(&pad.0) == delivery.pad_hash, DataError::WrongOpening);
        let key = tree::xor(&delivery.sealed_key, &pad);
        if crypto::sha256(&key.0) == sold.key_hash {
            let row = row.ok_or(DataError::NothingWrong)?;
            ensure!(row.is_in(&sold.root, sold.rows), DataError::WrongOpening);
            ensure!(!row.opens_with(&key), DataError::NothingWrong);
        }
        self.end(purchase, part, &sold, Ending::Cheated)
    }

    /// Ends a part of a purchase whose time is over: to the contributor if the key has come and nobody has disputed it, to
    /// the buyer if not. Anybody may call it.
    #[call]
    fn settle(&self, purchase: u64, part: u32) -> Result<()> {
        let (bought, sold, delivery) = (the_purchase(purchase)?, the_part(part)?, the_delivery(purchase, part)?);
        let (until, ending) = match delivery.released {
            true => (bought.dispute_until, Ending::Paid),
            false => (bought.release_until, Ending::Late),
        };
        ensure!(env::block_time_ms() > until, DataError::TooEarly);
        self.end(purchase, part, &sold, ending)
    }

    #[view]
    fn terms(&self) -> Terms {
        self.terms.clone()
    }

    #[view]
    fn part(part: u32) -> Result<Option<Part>> {
        PARTS.get(&part)
    }

    /// The rows of a data set that have to be opened in its slot: known once the held-out rows are.
    #[view]
    fn drawn(&self, part: u32) -> Result<Vec<u32>> {
        let held_out = HELD_OUT.get()?.ok_or(DataError::TooEarly)?;
        Ok(draw(&held_out.seed, &the_part(part)?, self.terms.sample))
    }

    /// When a data set can be measured, and, for the number after the last one, when the sale begins: after this time.
    #[view]
    fn slot_of(&self, part: u32) -> u64 {
        self.slot(part)
    }

    #[view]
    fn purchase(purchase: u64) -> Result<Option<Purchase>> {
        PURCHASES.get(&purchase)
    }

    #[view]
    fn delivery(purchase: u64, part: u32) -> Result<Option<Delivery>> {
        DELIVERIES.get(&(purchase, part))
    }

    /// What a curator commits to.
    #[view]
    fn held_out_hash(held_out: HeldOut) -> Hash {
        crypto::sha256(&noema::encoding::encode(&held_out))
    }

    /// Rows encrypted with a key, and the tree over them: for contributors, on a node of their own, who else must not see the key.
    #[view]
    fn seal(key: Hash, rows: Vec<Row>) -> (Hash, Vec<SealedRow>) {
        tree::seal(&key, &rows)
    }
}

impl Market {
    /// After this time a data set can be measured.
    fn slot(&self, part: u32) -> u64 {
        self.terms.show_until + u64::from(part) * self.terms.slot_ms
    }

    /// Pays the share of a part to whom it belongs to. The last one also gives the buyer what does not divide.
    fn end(&self, purchase: u64, part: u32, sold: &Part, ending: Ending) -> Result<()> {
        let purse = Purse::open();
        DELIVERIES.remove(&(purchase, part))?;
        let mut bought = the_purchase(purchase)?;
        let shares = self.terms.price.share(sold.worth.into(), self.worth.into(), math::Rounding::Down);
        let share = shares.unwrap_or_default();
        bought.left -= share;
        bought.open -= 1;
        let mut back = if ending == Ending::Paid { Amount::ZERO } else { share };
        if bought.open == 0 {
            back += bought.left;
            PURCHASES.remove(&purchase)?;
        } else {
            PURCHASES.set(&purchase, &bought)?;
        }
        if ending == Ending::Paid {
            call::transfer(&sold.seller, share.0)?;
        }
        call::transfer(&bought.buyer, (back + purse.freed()).0)?;
        event::emit(&Settled { purchase, part, ending, share })
    }
}

/// Which rows of a data set the seed draws. Nobody knew it when the tree was built.
fn draw(seed: &Hash, part: &Part, count: u32) -> Vec<u32> {
    let number = |at: u32| {
        let Hash(digest) = crypto::sha256(&noema::encoding::encode(&(*seed, part.root, at)));
        let [a, b, c, d, e, f, g, h, ..] = digest;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    };
    (0..count).map(|at| (number(at) % u64::from(part.rows)) as u32).collect()
}

fn between(after: u64, until: u64) -> Result<()> {
    let now = env::block_time_ms();
    ensure!(now > after, DataError::TooEarly);
    ensure!(now <= until, DataError::TooLate);
    Ok(())
}

fn the_part(part: u32) -> Result<Part> {
    Ok(PARTS.get(&part)?.ok_or(DataError::Unknown)?)
}

fn the_purchase(purchase: u64) -> Result<Purchase> {
    Ok(PURCHASES.get(&purchase)?.ok_or(DataError::Unknown)?)
}

fn the_delivery(purchase: u64, part: u32) -> Result<Delivery> {
    Ok(DELIVERIES.get(&(purchase, part))?.ok_or(DataError::Unknown)?)
}
